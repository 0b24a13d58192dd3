"""The files of the section *Contributions*, made when their button is pressed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headroles import charts, export, view
from headroles.ui.app import download_button, files
from headroles.ui.app.files import File, Table, about_picture, pictures

if TYPE_CHECKING:
    from headroles.attribution import Chance
    from headroles.ui.answer.one_head import Subject
    from headroles.view.without_head import Without


def draw(subject: Subject, chance: Chance | None, without: Without | None) -> None:
    """The button with the files."""
    with download_button.popover():
        download_button.buttons(of_contributions(subject, chance, without))
        download_button.about("The parts add up to the logit.")


def of_contributions(
    subject: Subject, chance: Chance | None, without: Without | None
) -> list[File]:
    """Every part, every head's share by token, and the map."""
    model = subject.answer.run.model_name
    parts, tokens = partial(_parts, subject, chance, without), partial(_tokens, subject)
    by_token = (model, "contributions by token")
    return [
        *files.tables("Parts", parts, name=(model, "contributions"), rows="parts"),
        *files.tables("Heads by token", tokens, name=by_token, rows="tokens"),
        *_pictures(subject, chance),
    ]


def _origin(subject: Subject) -> dict[str, object]:
    return files.provenance(subject.answer, subject.reference) | export.contributions.about(
        subject.parts
    )


def _parts(subject: Subject, chance: Chance | None, without: Without | None) -> Table:
    rows = export.contributions.part_rows(
        subject.parts, subject.tokens, chance=chance, roles=subject.roles
    )
    story = view.contributions.story(
        subject.parts,
        subject.labels,
        subject.tokens,
        chance=chance,
        now=subject.written.now,
        without=without,
    )
    origin = _origin(subject) | {"conclusion": " ".join(story)}
    if chance is not None:
        origin |= {"other_prompts": chance.n, "other_prompts_are": chance.what}
    return rows, origin


def _tokens(subject: Subject) -> Table:
    return export.contributions.token_rows(subject.parts, subject.tokens), _origin(subject)


def _pictures(subject: Subject, chance: Chance | None) -> list[File]:
    parts, run = subject.parts, subject.answer.run
    clear = view.contributions.beyond_chance(parts, chance) if chance else ()
    records = view.contribution_records.map_records(parts, clear=clear, roles=subject.roles)
    return pictures(
        partial(charts.heads.head_map, records, "wrote", clickable=False),
        name=(run.model_name, "contributions map"),
        title=view.contributions.map_sentence(parts),
        about=about_picture(run.model_name, prompt=run.prompt, chat=run.encoding.is_chat),
    )
