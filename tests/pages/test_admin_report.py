"""The Admin page's report: at once from what is stored, and with the circuits after a click."""

from __future__ import annotations

import json

import pytest

from headroles import view
from headroles.store import categories
from headroles.ui.admin import report, state
from headroles.ui.app import long_work
from tests import elsewhere
from tests.pages.test_admin import (  # noqa: F401 (fixtures)
    folder,
    password_hash,
    section,
    signed_in,
    texts,
)

MODEL = "attn-only-2l-tiny"


def labels(app) -> list[str]:
    return [button.proto.label for button in app.get("download_button")]


@pytest.fixture
def versions(folder, password_hash, monkeypatch):  # noqa: F811
    """The part of the page, with a file of one small model."""
    entry = categories.read_entry(MODEL, folder / "head_categories.json")
    (folder / "head_categories.json").unlink()
    categories.write_entry(entry, folder / "head_categories.json")
    monkeypatch.setattr(long_work, "LIGHT", 0.0)  # so that it waits for a click
    return section(signed_in(password_hash), state.VERSIONS)


def test_the_report_is_there_at_once_and_reads_no_weights(versions, monkeypatch) -> None:
    assert labels(versions)[-2:] == ["Report as HTML", "Report as Markdown"]
    assert versions.selectbox(key=state.REPORT_MODEL).value == MODEL
    entry = categories.read_all()[MODEL]
    gathered = report._gathered(entry, None)
    assert gathered.weights is None
    assert gathered.entry == entry


def test_the_circuits_come_after_a_click(versions, monkeypatch) -> None:
    assert "With the circuits" not in texts(versions)
    given = []
    monkeypatch.setattr(report, "buttons", lambda entry, *, weights, place: given.append(weights))
    versions.button(key=f"app-begin_{report.PART}").click().run()
    assert not versions.exception
    assert not versions.error
    entry = categories.read_all()[MODEL]
    assert [links.kind for links in given[-1].links] == ["Q", "K", "V"]
    assert [one.head for one in given[-1].summaries] == entry.heads
    assert given[-1].revision == entry.revision
    assert f"{len(entry.heads)} heads copy" in texts(versions)
    page = view.report.html(report._gathered(entry, given[-1]))
    assert "K-composition" in page
    assert "without the model" not in page


def test_circuits_of_other_weights_are_refused_in_a_sentence(folder, password_hash, monkeypatch):  # noqa: F811
    path = folder / "head_categories.json"
    entry = categories.read_entry(MODEL, path)
    path.unlink()
    categories.write_entry(entry.model_copy(update={"revision": "sha256:0123456789abcdef"}), path)
    monkeypatch.setattr(long_work, "LIGHT", 0.0)
    app = section(signed_in(password_hash), state.VERSIONS)
    app.button(key=f"app-begin_{report.PART}").click().run()
    assert not app.exception
    assert "other weights" in "\n".join(error.value for error in app.error)
    assert labels(app)[-2:] == ["Report as HTML", "Report as Markdown"]


def test_an_entry_made_elsewhere_has_a_report(folder, password_hash) -> None:  # noqa: F811
    path = folder / "head_categories.json"
    path.write_text(json.dumps({"demo": elsewhere.plain()}))
    app = section(signed_in(password_hash), state.VERSIONS)
    assert labels(app)[-2:] == ["Report as HTML", "Report as Markdown"]
