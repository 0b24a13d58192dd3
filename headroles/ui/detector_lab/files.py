"""The downloads of the Detector lab."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import export
from headroles.ui.app import caches
from headroles.ui.app.files import CSV, JSON, file_name

if TYPE_CHECKING:
    from headroles.ui.detector_lab.detection import Request, Result


def draw(request: Request, result: Result) -> None:
    """Draw the button with the files behind it."""
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
        st.caption(
            "Every head by every measure, with errors, chance and number of prompts. Both files "
            "name the model, patterns and tokens, and the pitfalls that apply."
        )


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
    if ending == "csv":
        return export.csv_bytes(export.detection.as_csv(result.detection, origin))
    return export.detection.as_json(result.detection, origin).encode("utf-8")
