"""What the commands about a prompt share: its run beside the stored analysis, and what they write.

All of them print text, JSON (``{"provenance": {...}, "rows": [...]}``) or CSV with its provenance
above it, and write the same, and pictures, into files whose names say what they hold.
"""

from __future__ import annotations

import argparse
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from headroles import capture, export, limits, models, store, texts, verdicts, view
from headroles.errors import HeadrolesError, UnknownHeadError
from headroles.formatting import WIDTH, columns, count, listing
from scripts import command_line

if TYPE_CHECKING:
    from headroles.charts.drawing import Drawing
    from headroles.models import LoadedModel
    from headroles.roles import SavedRole
    from headroles.store import ModelEntry
    from headroles.types import PromptRun
    from headroles.verdicts import PromptScores

TABLES, PICTURES = ("csv", "json"), ("png", "svg")
"""How the names of files end that hold a table, or a picture."""
Row = dict[str, object]
Place = Callable[..., object]
"""``parser.add_argument``."""


class OnPrompt(NamedTuple):
    """A prompt that was run, beside what is known about the model's heads."""

    run: PromptRun
    """The run."""
    scores: PromptScores
    """Every head's numbers on it."""
    num_kv_heads: int
    """Key/value heads per layer."""
    entry: ModelEntry | None
    """The stored analysis; None where there is none to use."""
    thresholds: dict[str, float]
    """{role key: threshold}: calibrated, or provisional without an analysis."""

    @property
    def origin(self) -> dict[str, object]:
        """Where its numbers come from."""
        return export.provenance.provenance(
            self.run, self.entry, revision=self.run.revision, thresholds=self.thresholds
        )

    @property
    def kept_roles(self) -> list[tuple[SavedRole, bool]]:
        """The roles of the model that an instructor keeps for the class, for
        :func:`headroles.view.saved_roles.rows`."""
        return [(role, True) for role in store.class_roles.read().of(self.run.model_name)]

    @property
    def title(self) -> str:
        """The model, the prompt and its length."""
        tokens = count(len(self.run.tokens), "token")
        chat = ", as a chat message" if self.run.encoding.is_chat else ""
        name = models.name_of(self.run.model_name)
        return f"{name} on {shown(self.run.prompt)} ({tokens}{chat})"

    @property
    def about(self) -> str:
        """What stands under the title of a picture of it."""
        return export.provenance.about_picture(
            self.run.model_name, prompt=self.run.prompt, chat=self.run.encoding.is_chat
        )


class Panel(NamedTuple):
    """A chart of a picture."""

    draw: Callable[[], Drawing]
    """Makes it."""
    title: str
    """What it shows."""
    about: str = ""
    """What stands under its title."""


class Picture(NamedTuple):
    """One chart or several beside each other, to be saved."""

    panels: Sequence[Panel]
    width: int | None = None
    """Pixels of a chart; the export's own where none is given."""
    columns: int = 2
    """How many stand in a row."""


class Output(NamedTuple):
    """Everything that a command can print or write."""

    text: str
    """For people."""
    rows: Sequence[Row]
    origin: Mapping[str, object]
    """Where the rows come from."""
    more: Mapping[str, Sequence[Row]] = {}
    """Further tables of the JSON."""
    picture: Picture | None = None


# ------------------------------------------------------------------ the command line


def add_prompt(add: Place, *, default: str | None = texts.DEFAULT_PROMPT) -> None:
    """The model and one prompt."""
    add("model", nargs="?", type=command_line.MODEL, default="demo",
        help="catalogue key, folder or Hub id")  # fmt: skip
    add("prompt", nargs="?", type=command_line.text(limits.PROMPT), default=default,
        help="the text that is run")  # fmt: skip
    add_chat(add)


def add_chat(add: Place) -> None:
    """Whether a prompt is a chat message."""
    add("--chat", action="store_true", help="wrap it with the model's chat template")


def add_output(add: Place, *, pictures: bool = True) -> None:
    """In which form the result is printed, and the files that it is written to."""
    endings = [f".{kind}" for kind in TABLES + (PICTURES if pictures else ())]
    add("--format", choices=("text", *TABLES), default="text", help="what is printed")
    add("--out", action="append", type=command_line.named_file(*endings), default=[],
        metavar="FILE",
        help=f"also write a file that ends in {listing(endings, last='or')}; repeatable",
        )  # fmt: skip


# ------------------------------------------------------------------ running


def read(loaded: LoadedModel, prompt: str, *, chat: bool = False) -> OnPrompt:
    """Run a prompt; what is not read as it was typed, and an analysis that cannot be used, is said
    on standard error.

    Raises:
        HeadrolesError: if the prompt cannot be run.
    """
    run = capture.capture(loaded, prompt, chat=chat)
    warn(view.html.cautions(run.encoding))
    if run.encoding.truncated:
        read_first = f"{len(run.tokens):,} of {run.encoding.full_length:,} tokens"
        warn([f"Only the first {read_first} were read (the start token included)."])
    entry = analysis(loaded)
    if fault := store.class_roles.read().fault:
        warn([fault.message])
    thresholds = verdicts.thresholds_in(entry) if entry else dict(verdicts.DEFAULT_THRESHOLDS)
    scores = verdicts.score_run(run)
    return OnPrompt(run, scores, loaded.num_kv_heads, entry, thresholds)


def analysis(loaded: LoadedModel) -> ModelEntry | None:
    """The stored analysis of these weights; None where there is none to use, with the reason on
    standard error."""
    try:
        entry, good = store.categories.good_entry(loaded.key)
        store.contents.check_weights(entry, loaded.source, loaded.revision)
        store.contents.check_shape(entry, tuple(loaded.shape))
    except HeadrolesError as error:
        warn([f"{error} Every head is judged by provisional thresholds."])
        return None
    if good.fault:
        since = f"{good.since.day} {good.since:%B %Y}"
        warn([f"The file of reference scores is damaged. These are from the version of {since}."])
    return entry


def warn(sentences: Iterable[str]) -> None:
    """Say something beside the result."""
    for sentence in sentences:
        print(command_line.one_line(sentence), file=sys.stderr)


def literature(on: OnPrompt) -> dict[str, list[Row]]:
    """{role key: rows} the heads that papers name, judged on the prompt; nothing where no paper
    names any."""
    named = verdicts.literature_entry(models.same_model(on.run.model_name))
    try:
        return verdicts.summarize_literature(named, on.scores)
    except UnknownHeadError:  # another model under the same name
        return {}


# ------------------------------------------------------------------ writing


def give(output: Output, options: argparse.Namespace) -> int:
    """Write every file that is asked for, then print the result."""
    for path in options.out:
        command_line.write(path, _content(output, path.suffix.lower().removeprefix(".")))
        print(f"wrote {path}", file=sys.stderr)
    if options.format == "text":
        print(output.text)
    else:
        sys.stdout.write(_content(output, options.format).decode("utf-8-sig"))
    return command_line.DONE


def _content(output: Output, kind: str) -> bytes:
    if kind == "csv":
        return export.csv_bytes(export.heads_csv(output.rows, output.origin))
    if kind == "json":
        document = export.tables.heads_json(output.rows, output.origin, name="rows", **output.more)
        return document.encode("utf-8", "replace")
    if output.picture is None:
        raise HeadrolesError(
            "There is no picture of this.", hint="Ask for a table: a file that ends in .csv."
        )
    return _drawn(output.picture, kind)


def _drawn(picture: Picture, kind: str) -> bytes:
    several = len(picture.panels) > 1
    made = [
        export.pictures.chart_image(
            panel.draw().to_dict(),
            "svg" if several else kind,
            title=panel.title,
            about=panel.about,
            width=picture.width or export.pictures.WIDTH,
        )
        for panel in picture.panels
    ]
    if not several:
        return made[0]
    return export.pictures.side_by_side(made, kind, columns=picture.columns)


def shown(prompt: str) -> str:
    """A prompt in a line, between quotes."""
    return f"“{command_line.one_line(prompt)}”"


def aligned(rows: Sequence[Sequence[str]], *, indent: int = 2) -> list[str]:
    """The rows of a table, indented; a row can take several lines (:func:`.formatting.columns`)."""
    if not rows:
        return []
    lines = columns(rows[0], rows[1:], width=WIDTH - indent)
    return [textwrap.indent(line, " " * indent) for line in lines]
