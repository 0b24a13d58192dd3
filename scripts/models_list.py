"""Say which models students can choose: list, add, remove, hide, show and order them.

    python -m scripts.models_list list
    python -m scripts.models_list add EleutherAI/pythia-1b --revision main --name "Pythia 1B"
    python -m scripts.models_list add /srv/models/ours --key ours
    python -m scripts.models_list hide bloom-560m

The list is ``models.toml`` beside the reference scores. A server that runs takes a change over with
its students' next clicks; "undo" brings back what the last change replaced.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from headroles import models, store, view
from headroles.errors import ModelNotListedError
from scripts import command_line
from scripts.command_line import MODEL


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    text = command_line.text()
    parser = command_line.parser("models_list", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every model with its state, and what is wrong with the list")
    add = commands.add_parser("add", help="add a Hub id, a folder or a GGUF file")
    add.add_argument("model", type=MODEL, metavar="MODEL", help="Hub id, folder or GGUF file")
    add.add_argument(
        "--key",
        type=text,
        help="its name in addresses (default: the folder's name, or the id)",
    )
    add.add_argument("--revision", type=text, help="of a Hub id: commit, branch or tag")
    add.add_argument("--name", type=text, help="what students read")
    add.add_argument("--about", type=text, help="one line for students")
    add.add_argument("--licence", type=text, help="its licence")
    for name, words in {
        "remove": "take a listed model off the list",
        "hide": "leave a model out of the pickers",
        "show": "offer a hidden model again",
    }.items():
        commands.add_parser(name, help=words).add_argument("key", type=text, metavar="KEY")
    order = commands.add_parser("order", help="put these models first, in this order")
    order.add_argument("keys", type=text, metavar="KEY", nargs="*")
    commands.add_parser("undo", help="bring back what the last change replaced")
    return parser.parse_args(argv)


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Do it; 1 if the list is not in order then."""
    options = parse_arguments(argv)
    if options.command == "add":
        key = store.model_list.add(described(options))
        print(f"Students can choose '{key}' from their next click on.")
    elif options.command == "order":
        store.model_list.order(options.keys)
    elif options.command == "undo":
        store.model_list.undo()
    elif options.command in EDITS:
        EDITS[options.command](options.key)
    return print_list()


EDITS = {
    "remove": lambda key: store.model_list.remove(key),
    "hide": lambda key: store.model_list.hide(key),
    "show": lambda key: store.model_list.show(key),
}


def described(options: argparse.Namespace) -> dict[str, str]:
    """The fields of a model in the list.

    Raises:
        ModelNotListedError: if a folder or file holds no model, or a field is not as it should be.
    """
    fields = ("key", "revision", "name", "about", "licence")
    model = {name: value for name in fields if (value := getattr(options, name)) is not None}
    place = Path(options.model)
    if not place.exists():
        return {"hub": options.model, **model}
    kind = "gguf" if place.is_file() else "folder"
    key = models.list_file.as_key(models.catalogue.spoken_name(options.model))
    model = {"key": key, kind: str(place.resolve()), **model}
    if why := models.on_disk.fault(models.list_file.checked(model)):
        raise ModelNotListedError(options.model, why=f"{why}.")
    return model


def print_list() -> int:
    """Print every model with its state; 1 if the file or a model of it is not in order."""
    reading = models.listed.read()
    faults = [reading.fault.message] if reading.fault else []
    keys = view.offer.offered(hidden=True)
    width = max(map(len, keys))
    for key in keys:
        choice = view.offer.choice(key)
        state = view.offer.state_words(choice)
        if why := models.on_disk.fault(choice.entry):
            faults.append(f"'{key}': {why}.")
        hidden = "hidden, " if key in reading.models.hide else ""
        print(f"{key:{width}}  {hidden}{state}")
    for fault in faults:
        print(fault, file=sys.stderr)
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
