"""What can be read in the picture of a chart, at the width that a page gives it."""

from __future__ import annotations

from xml.etree import ElementTree

from headroles.charts.drawing import Drawing
from headroles.export.pictures import chart_image

SVG = "{http://www.w3.org/2000/svg}"


def picture(drawing: Drawing, width: int) -> ElementTree.Element:
    """The chart as an SVG document."""
    return ElementTree.fromstring(chart_image(drawing.to_dict(), "svg", width=width))


def texts(drawing: Drawing, width: int) -> tuple[list[str], list[str]]:
    """The labels of both axes, and the texts among the marks; without what is hidden."""
    labels, numbers = [], []
    for group in picture(drawing, width).iter(f"{SVG}g"):
        kind = group.get("class") or ""
        shown = [
            " ".join(text.itertext())
            for text in group.findall(f"{SVG}text")
            if text.get("opacity") != "0" and any(text.itertext())
        ]
        if "role-axis-label" in kind:
            labels += shown
        elif "mark-text role-mark" in kind:
            numbers += shown
    return labels, numbers
