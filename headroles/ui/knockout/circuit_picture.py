"""The picture of the two-step circuit, as inline SVG in the page's own text colour. Pure."""

from __future__ import annotations

ALT = (
    "Two rows of the tokens A, B and later A again. Step 1: a previous-token head at the first B "
    "looks one token back and notes that A stood before it. Step 2: at the later A an induction "
    "head looks for a token that follows an A, finds B by that note, and copies B as its guess."
)

_TOKENS = (("A", 90), ("B", 190), ("…", 290), ("A", 390))
_BLUE, _ORANGE = "#2e7fd0", "#cc6a14"


def svg() -> str:
    """The picture, as wide as its place, at most 640 pixels."""
    boxes = "".join(_token(label, x) for label, x in _TOKENS)
    return (
        f'<svg viewBox="0 0 600 250" role="img" aria-label="{ALT}" '
        'style="width:100%;max-width:640px;height:auto;display:block" '
        'font-family="inherit" fill="currentColor">'
        "<defs>"
        f"{_arrow_head('hr-step1', _BLUE)}{_arrow_head('hr-step2', _ORANGE)}"
        "</defs>"
        # step 1, above the row: from B back to A
        f'<path d="M190 118 C 180 78, 100 78, 92 116" fill="none" stroke="{_BLUE}" '
        'stroke-width="3" marker-end="url(#hr-step1)"/>'
        '<text x="20" y="32" font-size="15" font-weight="700">Step 1 · previous-token head</text>'
        '<text x="20" y="54" font-size="13.5">B looks one back and notes: “A was before me.”</text>'
        # the note that step 1 leaves at B
        f'<rect x="206" y="84" width="112" height="26" rx="6" fill="none" stroke="{_BLUE}" '
        'stroke-width="1.6" stroke-dasharray="4 3"/>'
        '<text x="262" y="102" font-size="12.5" text-anchor="middle">note: after A</text>'
        f"{boxes}"
        # step 2, below the row: from the later A back to B
        f'<path d="M390 162 C 370 212, 215 212, 193 166" fill="none" stroke="{_ORANGE}" '
        'stroke-width="3" stroke-dasharray="9 4" marker-end="url(#hr-step2)"/>'
        '<text x="20" y="222" font-size="15" font-weight="700">Step 2 · induction head</text>'
        '<text x="20" y="243" font-size="13.5">A looks for “a token after A”, finds B, and copies '
        "it.</text>"
        # the guess
        f'<path d="M414 140 L 462 140" stroke="{_ORANGE}" stroke-width="3" stroke-dasharray="9 4" '
        'marker-end="url(#hr-step2)"/>'
        '<rect x="472" y="120" width="52" height="40" rx="8" fill="none" stroke="currentColor" '
        'stroke-dasharray="5 4" stroke-width="1.6"/>'
        '<text x="498" y="146" font-size="18" font-weight="700" text-anchor="middle">B</text>'
        '<text x="498" y="180" font-size="12.5" text-anchor="middle">the guess</text>'
        "</svg>"
    )


def _token(label: str, x: int) -> str:
    if label == "…":
        return f'<text x="{x}" y="146" font-size="20" text-anchor="middle">…</text>'
    return (
        f'<rect x="{x - 22}" y="120" width="44" height="40" rx="8" fill="none" '
        'stroke="currentColor" stroke-width="1.6"/>'
        f'<text x="{x}" y="146" font-size="18" font-weight="700" text-anchor="middle">'
        f"{label}</text>"
    )


def _arrow_head(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 10 10" refX="8" refY="5" markerWidth="6" '
        f'markerHeight="6" orient="auto-start-reverse"><path d="M0 0 L10 5 L0 10 z" '
        f'fill="{colour}"/></marker>'
    )
