"""The files of the page Components, made when their button is pressed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headroles import charts, export, view
from headroles.export import documents
from headroles.ui.app import download_button, files
from headroles.ui.app.files import File, Table, about_picture, pictures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headroles.ablation.component_profiles import Effect
    from headroles.export.documents import Document
    from headroles.ui.components.subject import Subject
    from headroles.view.components import Listed
    from headroles.view.one_component import AtPosition


Titled = tuple[str, "Sequence[str]", "Sequence[Sequence[str]]"]
"""A table: caption, headers, rows."""


def draw_list(asked: Subject, mapped: Sequence[Listed]) -> None:
    """The button with the files of the list."""
    with download_button.popover():
        download_button.buttons(of_list(asked, mapped))
        download_button.about("All components of the matrix, with their share in each head.")


def of_list(asked: Subject, mapped: Sequence[Listed]) -> list[File]:
    """The list, and the map of some components."""
    name = (asked.chosen.model, f"{label(asked)} components")
    return [
        *files.tables("Components", partial(_list, asked), name=name, rows="components"),
        *files.page(partial(_page, asked, mapped), name=name, what="List"),
        *pictures(
            partial(
                charts.components.head_shares,
                view.components.map_records(mapped),
                mapped[0].heads,
            ),
            name=(asked.chosen.model, f"{label(asked)} components by head"),
            title=view.components.map_sentence(mapped),
            about=_about(asked),
        ),
    ]


def draw_one(
    asked: Subject,
    one: Listed,
    lines: Sequence[AtPosition],
    effects: Sequence[Effect] | None,
    more: Sequence[File] = (),
) -> None:
    """The button with the files of one component; ``more`` are those of its importances."""
    with download_button.popover():
        download_button.buttons([*of_one(asked, one, lines, effects), *more])
        download_button.about("One component on the prompt and on text.")


def of_one(
    asked: Subject, one: Listed, lines: Sequence[AtPosition], effects: Sequence[Effect] | None
) -> list[File]:
    """Its tokens on the prompt and in text, and what is missing without it, once that is there."""
    model, name = asked.chosen.model, f"{asked.chosen.kind} {one.component.label}"
    told = view.one_component.token_export(lines, trained=asked.is_trained)
    in_text = view.one_component.switch_export(asked.text, one.component.number)
    found = [
        *files.tables("Tokens", partial(_table, asked, told), name=(model, f"{name} tokens")),
        *files.tables("Text", partial(_table, asked, in_text), name=(model, f"{name} in text")),
        *report(
            f"Component {one.component.label}",
            view.components.plain_text(view.one_component.one_conclusion(one, lines, effects)),
            partial(view.one_component.tables, one, lines, asked.text, effects),
            name=(model, name),
            origin=partial(origin, asked),
            about=_about(asked),
        ),
        *pictures(
            partial(charts.components.head_shares, view.components.map_records([one]), one.heads),
            name=(model, f"{name} by head"),
            title=view.components.map_sentence([one]),
            about=_about(asked),
            what="Heads",
        ),
    ]
    if effects:
        missing = view.one_component.effect_export(one, effects)
        found += [
            *files.tables(
                "Effects", partial(_table, asked, missing), name=(model, f"{name} effects")
            ),
            *pictures(
                partial(
                    charts.components.effects,
                    view.one_component.effect_records(effects),
                    axis="KL of the next token, nats",
                ),
                name=(model, f"{name} effects"),
                title=f"The next guess without {one.component.label}",
                about=_about(asked),
            ),
        ]
    return found


def _table(asked: Subject, rows: list[dict[str, object]]) -> Table:
    return rows, origin(asked)


def label(asked: Subject) -> str:
    """What is decomposed, in a file's name: ``trained L0Q``."""
    return f"{asked.chosen.kind} L{asked.chosen.layer}{asked.chosen.matrix.upper()}"


def origin(asked: Subject) -> dict[str, object]:
    """Where the numbers come from, for the first lines of a file."""
    run = asked.answer.run
    told = export.provenance.provenance(run, None, revision=run.revision)
    return told | {
        "components": asked.chosen.kind,
        "layer": asked.chosen.layer,
        "matrix": asked.chosen.matrix,
        "text": view.components.text_words(asked.text),
    }


def _about(asked: Subject) -> str:
    run = asked.answer.run
    return about_picture(run.model_name, prompt=run.prompt, chat=run.encoding.is_chat)


def _list(asked: Subject) -> Table:
    return view.components.export_rows(asked.found), origin(asked)


def _page(asked: Subject, mapped: Sequence[Listed]) -> Document:
    """The list and the map as one page."""
    return view.components.document(
        asked.matrix, asked.prompt, asked.text, mapped, about=_about(asked)
    )


# ------------------------------------------------------------------ every section


def report(
    title: str,
    said: str,
    tables: Callable[[], Sequence[Titled]],
    *,
    name: tuple[str, str],
    origin: Callable[[], dict[str, object]],
    about: str = "",
) -> list[File]:
    """What a section says and its tables, as one HTML file.

    Args:
        title: what it is about.
        said: the section's conclusion (plain text).
        tables: makes the tables as they stand on the page.
        name: the model and what it is, for the file's name.
        origin: where the numbers come from, for the last line.
        about: a line under the title; the model's name where there is none.
    """
    about = about or about_picture(name[0])
    return files.page(partial(_report, title, said, tables, origin, about), name=name)


def _report(
    title: str,
    said: str,
    tables: Callable[[], Sequence[Titled]],
    origin: Callable[[], dict[str, object]],
    about: str,
) -> Document:
    lead = [documents.Text(said, "lead")]
    return documents.of_tables(title, tables(), about=about, lead=lead, origin=origin())


def of_model(model: str, kind: str, **settings: object) -> dict[str, object]:
    """Where numbers that depend on no prompt come from, for the first lines of a file."""
    return export.provenance.origin(model) | {
        "revision": files.revision(model),
        "components": kind,
        **settings,
    }
