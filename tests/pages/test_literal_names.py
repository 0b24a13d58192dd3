"""Whatever anybody wrote comes out as it was written: prompts, and names of models and patterns."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from google.protobuf.json_format import MessageToDict

from headroles import paths
from headroles.models import model_revision
from headroles.paths import DEMO_MODEL, ROOT
from headroles.store import categories, model_list
from headroles.ui.app import session
from headroles.ui.detector_lab import state as detector_lab
from headroles.view import markdown
from tests.pages.on_page import opened, run_prompt
from tests.pages.planted import planted_entry

pytestmark = [
    pytest.mark.usefixtures("planted"),
    pytest.mark.skipif(
        not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
    ),
]
NASTY = "**a** [x](http://e.f) :red[b] $x$ :material/home: <b> # `1` ~~ &amp; :streamlit: -> a@b.cd"
SHORT = "**a** :red[b] :streamlit: $x$ `1` <b>"
"""As long as the name of a pattern may be."""
READ = ("**a**", "[x](", ":red[b]", "$x$", ":material/home:", "`1`", " &amp;", ":streamlit:", "a@b")
"""What Markdown, or Streamlit after it, would read as something else."""
PAGES = [f"pages/{path.name}" for path in sorted((ROOT / "pages").glob("*.py"))]
AS_IT_IS = {
    *("VegaLiteChart", "Arrow", "BidiComponent", "TextArea", "TextInput"),
    *("Selectbox", "MultiSelect", "DownloadButton"),
}
"""Elements that show their values, and not their labels and tooltips, as they are."""


def shown(app) -> Iterator[tuple[str, str]]:
    """(kind of element, a text that it hands to Markdown) of all that the page shows."""
    waiting = [app._tree]
    while waiting:
        node = waiting.pop()
        waiting += list(getattr(node, "children", {}).values())
        proto = getattr(node, "proto", None)
        if hasattr(proto, "DESCRIPTOR"):
            kind, message = proto.DESCRIPTOR.name, MessageToDict(proto)
            if kind in AS_IT_IS:
                message = {name: message.get(name, "") for name in ("label", "help", "placeholder")}
            yield from ((kind, text) for text in _texts(message))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def misread(app) -> list[str]:
    """What the browser would not show as it was written."""
    wrong = []
    for kind, text in shown(app):
        signs = ("<b> #",) if kind == "Html" else READ
        wrong += [f"{kind}: {text[:200]}" for sign in signs if sign in text][:1]
    return wrong


@pytest.fixture
def mine(planted, tmp_path):
    """An analysed model of the instructor's list, all of whose words are in Markdown."""
    folder = tmp_path / "m"
    shutil.copytree(DEMO_MODEL, folder)
    entry = planted_entry(4, 8, model="mine")
    of_role = {"display_name": NASTY, "description": NASTY, "threshold_reason": NASTY}
    entry = entry.model_copy(
        update={
            "source": str(folder),
            "revision": model_revision(str(folder)),
            "notes": [NASTY],
            "categories": {
                key: category.model_copy(update=of_role)
                for key, category in entry.categories.items()
            },
        }
    )
    categories.write_entry(entry, paths.CATEGORIES)
    model_list.add(
        {"key": "mine", "folder": str(folder), "name": NASTY, "about": NASTY, "licence": NASTY}
    )
    return entry


@pytest.mark.parametrize("page", PAGES)
def test_a_prompt_and_a_models_words_come_out_as_they_were_written(mine, page: str) -> None:
    app = opened(page, model="mine", prompt=NASTY)
    assert misread(app) == []
    assert NASTY in app.selectbox(key=session.MODEL).options[-1] or page.endswith("admin.py")


def test_a_pattern_is_called_what_its_maker_called_it() -> None:
    app = opened("pages/detector_lab.py")
    app.segmented_control(key=detector_lab.WAY).set_value(detector_lab.BY_EXPRESSION).run()
    app.text_input(key=detector_lab.EXPRESSION).set_value("k == q - 1").run()
    app.text_input(key=detector_lab.TITLE).set_value(SHORT).run()
    app.button(key="detector_lab-add").click().run()
    assert SHORT in {pattern.name for pattern in app.session_state[detector_lab.OWN]}
    assert misread(app) == []
    app.button(key="detector_lab-save").click().run()
    assert misread(app) == []
    app.button(key="detector_lab-remove_0").click().run()
    assert misread(app) == []
    app.switch_page("pages/your_prompt.py").run()
    assert misread(app) == []


def test_what_is_refused_is_shown_as_it_was_written_too() -> None:
    for query in ({"model": NASTY}, {"head": NASTY}, {"role": NASTY}, {NASTY: "1"}):
        app = opened("pages/head_closeup.py", **query)
        assert app.warning
        assert misread(app) == []


def test_earlier_prompts_and_the_way_back_are_shown_as_they_were_written() -> None:
    app = run_prompt(opened(), NASTY)
    app.button(key="app-example_0").click().run()
    assert app.button(key="app-undo").help
    assert misread(app) == []
    run_prompt(app, "Next one")
    assert misread(app) == []


def test_a_command_in_a_sentence_can_be_copied() -> None:
    said = markdown.sentence("It's *new*. To analyse it: python -m scripts.x --model 'a b' --all.")
    assert "`python -m scripts.x --model 'a b' --all`" in said
    assert "\\*new\\*" in said
