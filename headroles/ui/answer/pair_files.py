"""The files of two prompts, made when their button is pressed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from headroles import charts, export
from headroles.ui.app import download_button, files
from headroles.ui.app.files import File, Table, about_picture, pictures
from headroles.view import patching, path_words

if TYPE_CHECKING:
    from headroles.ablation import Arrow, Pair, Patched
    from headroles.charts.drawing import Drawing
    from headroles.types import Head
    from headroles.ui.answer.pair_caches import Asked

SHARE = "share of the difference, in percent"


def draw_patches(asked: Asked, done: Mapping[str, Patched]) -> None:
    """The button with the tables and pictures of what was patched; none before there is anything.

    Args:
        asked: the two prompts.
        done: {what it is: the result}.
    """
    if not done:
        return
    with download_button.popover():
        for what, patched in done.items():
            download_button.buttons(_of(asked, what, patched))
        download_button.about("Shares are of the difference between the two prompts.")


def _of(asked: Asked, what: str, patched: Patched) -> list[File]:
    name = (asked.model, f"two prompts {what} {patched.direction}")
    title = what[0].upper() + what[1:]
    sentence = (
        patching.position_alt(patched) if patched.by_position else patching.heads_sentence(patched)
    )
    return [
        *files.tables(title, partial(_rows, asked, patched), name=name, rows="patches"),
        *pictures(
            partial(_picture, what, patched),
            name=name,
            title=f"{title}. {sentence}",
            about=about_picture(asked.model, prompt=asked.first, chat=asked.chat),
            what=title,
        ),
    ]


def _picture(what: str, patched: Patched) -> Drawing:
    if not patched.by_position:
        return charts.heads.head_map(patching.head_records(patched), SHARE, clickable=False)
    return charts.position_map(
        patching.position_records(patched),
        patching.token_names(patched.pair),
        title=SHARE,
        down="layer" if what.startswith("layer") else "head",
    )


def _rows(asked: Asked, patched: Patched) -> Table:
    return patching.export_rows(patched), origin(asked, patched.pair, direction=patched.direction)


def origin(asked: Asked, pair: Pair, **settings: object) -> dict[str, object]:
    """Where the numbers of a pair come from."""
    return export.ablation_report.provenance(
        asked.model,
        revision=files.revision(asked.model),
        prompt=asked.first,
        second_prompt=asked.second,
        tokens=list(pair.first.tokens),
        second_tokens=list(pair.second.tokens),
        token_ids=list(pair.first.token_ids),
        second_token_ids=list(pair.second.token_ids),
        answer=pair.answer,
        against=pair.against,
        first_difference=pair.first_difference,
        second_difference=pair.second_difference,
        **settings,
    )


def draw_paths(
    asked: Asked, pair: Pair, arrows: Sequence[Arrow], roles: Mapping[Head, str]
) -> None:
    """The button with the table and the picture of the drawing; none while it is empty."""
    if not arrows:
        return
    name, rows = (asked.model, "paths"), tuple(arrows)
    said = path_words.conclusion(arrows, roles, pair)
    with download_button.popover():
        download_button.buttons(
            [
                *files.tables("Paths", partial(_paths, asked, pair, rows, roles), name=name,
                              rows="paths"),
                *pictures(
                    partial(_drawing, pair, rows, roles),
                    name=name,
                    title=f"Paths. {said}",
                    about=about_picture(asked.model, prompt=asked.first, chat=asked.chat),
                ),
            ]
        )  # fmt: skip
        download_button.about("Shares are of the difference between the two prompts.")


def _paths(asked: Asked, pair: Pair, arrows: Sequence[Arrow], roles: Mapping[Head, str]) -> Table:
    return path_words.export_rows(arrows, roles), origin(asked, pair, direction="noise")


def _drawing(pair: Pair, arrows: Sequence[Arrow], roles: Mapping[Head, str]) -> Drawing:
    boxes = path_words.boxes(arrows, roles, pair, opened=())
    return charts.circuit_of_paths(boxes, path_words.paths(arrows))
