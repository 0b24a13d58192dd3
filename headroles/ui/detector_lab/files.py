"""The downloads of the Detector lab."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, export
from headroles.ui.app import caches, map_marks
from headroles.ui.app.files import CSV, JSON, PYTHON, about_picture, file_name, pictures
from headroles.ui.detector_lab.measures import NAMES
from headroles.view import detection, html

if TYPE_CHECKING:
    from headroles.charts.drawing import Drawing
    from headroles.ui.app.files import File
    from headroles.ui.detector_lab.detection import Request, Result
    from headroles.view.map_marks import Marks


def draw(request: Request, result: Result, place: int, measure: str) -> None:
    """Draw the button with the files behind it.

    Args:
        request: the detection that was asked for.
        result: its outcome.
        place: the pattern that is shown, whose map is the picture.
        measure: ``activation``, ``mul`` or ``abs``.
    """
    with st.popover("Download", icon=":material/download:", key="detector_lab-download"):
        for label, ending, mime in (("CSV", "csv", CSV), ("JSON", "json", JSON)):
            st.download_button(
                f"All heads as {label}",
                data=partial(make, request, result, ending),
                file_name=file_name(request.model, "detection", ending),
                mime=mime,
                key=f"detector_lab-download_{ending}",
                on_click="ignore",
                width="stretch",
            )
        for label, ending, mime in (
            ("Python script", "py", PYTHON),
            ("Jupyter notebook", "ipynb", JSON),
        ):
            st.download_button(
                label,
                data=partial(make, request, result, ending),
                file_name=file_name(request.model, "detection again", ending),
                mime=mime,
                key=f"detector_lab-download_{ending}",
                on_click="ignore",
                width="stretch",
            )
        for file in pictures_of(request, result, place, measure, map_marks.chosen()):
            st.download_button(
                file.label,
                data=file.make,
                file_name=file.name,
                mime=file.mime,
                key=f"detector_lab-download_{file.name.rpartition('.')[2]}",
                on_click="ignore",
                width="stretch",
            )
        st.caption(
            "Every head by every measure, with errors, chance and number of prompts. Both files "
            "name the model, patterns and tokens, and the pitfalls that apply. The script and the "
            "notebook make every score again; they need the headroles project. The picture is the "
            "map of the pattern that is shown above, with its marks."
        )


def pictures_of(
    request: Request, result: Result, place: int, measure: str, marks: Marks
) -> list[File]:
    """The map of one pattern as PNG and SVG, with the marks of the page."""
    card = detection.card_of(result.detection, place, measure, marks)
    about = about_picture(request.model)
    about += f" · {NAMES[measure]} on {html.count(len(result.prompts), 'prompt')}"
    return pictures(
        partial(_map, card),
        name=(request.model, f"detection {card.pattern.name}"),
        title=f"{card.pattern.name}. {card.sentence}",
        about=about,
        what="Map",
    )


def _map(card: detection.Card) -> Drawing:
    return charts.heads.head_map(card.records, "score", clickable=False)


def make(request: Request, result: Result, ending: str) -> bytes:
    """The file's content, made when its button is pressed."""

    kind, n, seed = request.generated
    with caches.borrow(request.model) as loaded:
        origin = export.detection.provenance(
            result.detection,
            loaded,
            result.prompts,
            made=f"generated: {kind}, n={n}, seed={seed}" if kind else "",
        )
        if ending in ("py", "ipynb"):
            write = export.detection_code.script
            if ending == "ipynb":
                write = export.detection_code.notebook
            code = write(result.detection, loaded, result.prompts, provenance=origin)
            return code.encode("utf-8")
    if ending == "csv":
        return export.csv_bytes(export.detection.as_csv(result.detection, origin))
    return export.detection.as_json(result.detection, origin).encode("utf-8")
