"""What the small pictures of the glossary are drawn with: strokes in the colour of the text. Pure.

Every function returns SVG elements for a field of :data:`WIDTH` x :data:`HEIGHT`.

>>> boxes("the cat")[:5]
'<rect'
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

WIDTH, HEIGHT = 120, 56
"""Of a picture, in its own units."""

_LINE = 'fill="none" stroke="currentColor" stroke-width="1.6"'


def svg(strokes: str) -> str:
    """A picture that stands alone."""
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">{strokes}</svg>'


def words(x: float, y: float, said: str, *, size: float = 10, anchor: str = "middle") -> str:
    """Some letters."""
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}" '
        f'font-family="sans-serif" fill="currentColor">{escape(said)}</text>'
    )


def line(*points: tuple[float, float], dashed: bool = False) -> str:
    """A line through some points."""
    path = " ".join(f"{x:g},{y:g}" for x, y in points)
    dashes = ' stroke-dasharray="3 2"' if dashed else ""
    return f'<polyline points="{path}" {_LINE}{dashes}/>'


def box(x: float, y: float, wide: float, high: float, *, shade: float = 0.0) -> str:
    """A rectangle, filled to a share of the text's colour."""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{wide:g}" height="{high:g}" rx="3" fill="currentColor" '
        f'fill-opacity="{shade:g}" stroke="currentColor" stroke-width="1.4"/>'
    )


def arrow(start: tuple[float, float], end: tuple[float, float], *, bend: float = 0.0) -> str:
    """A line with a point; ``bend`` lifts its middle."""
    (x1, y1), (x2, y2) = start, end
    mx, my = (x1 + x2) / 2, (y1 + y2) / 2 - bend
    dx, dy = x2 - mx, y2 - my
    size = (dx * dx + dy * dy) ** 0.5 or 1.0
    ux, uy = 5 * dx / size, 5 * dy / size
    point = f"M{x2 - ux - uy * 0.6:.1f} {y2 - uy + ux * 0.6:.1f} L{x2:g} {y2:g} "
    point += f"L{x2 - ux + uy * 0.6:.1f} {y2 - uy - ux * 0.6:.1f}"
    return f'<path d="M{x1:g} {y1:g} Q{mx:g} {my:g} {x2:g} {y2:g} {point}" {_LINE}/>'


def boxes(
    said: str, *, looks: Iterable[tuple[int, int]] = (), shaded: Iterable[int] = (), y: float = 34
) -> str:
    """Tokens in a row, with arcs from the token that looks to the one that it looks at."""
    parts = said.split()
    wide = (WIDTH - 4 - 3 * (len(parts) - 1)) / len(parts)
    middle = [2 + wide / 2 + number * (wide + 3) for number in range(len(parts))]
    dark = set(shaded)
    drawn = "".join(
        box(x - wide / 2, y, wide, 18, shade=0.3 if number in dark else 0.0)
        + words(x, y + 12.5, part, size=10)
        for number, (x, part) in enumerate(zip(middle, parts, strict=True))
    )
    for query, key in looks:
        if query == key:
            x = middle[query]
            drawn += arrow((x + 6, y - 2), (x - 5, y - 2), bend=22)
        else:
            bend = 12 + 5 * abs(query - key)
            drawn += arrow((middle[query], y - 2), (middle[key] + 3, y - 2), bend=bend)
    return drawn


def grid(*rows: str) -> str:
    """A pattern: one digit per cell, 9 the darkest; a row may be shorter than the next."""
    size = (HEIGHT - 4) / len(rows)
    left = (WIDTH - size * len(rows)) / 2
    return "".join(
        f'<rect x="{left + size * k + 0.7:.1f}" y="{2 + size * q + 0.7:.1f}" '
        f'width="{size - 1.4:.1f}" height="{size - 1.4:.1f}" fill="currentColor" '
        f'fill-opacity="{int(digit) / 9:.2f}" stroke="currentColor" stroke-width=".7"/>'
        for q, row in enumerate(rows)
        for k, digit in enumerate(row)
    )


def bars(
    *shares: float, shade: float = 0.5, chance: float | None = None, needs: float | None = None
) -> str:
    """Lying bars on a field of 100 units; a thick tick for chance, a dashed line for the need."""
    high = min(14.0, (HEIGHT - 12) / len(shares) - 4)
    top = (HEIGHT - len(shares) * (high + 4)) / 2
    drawn = line((10, 4), (10, HEIGHT - 4))
    drawn += "".join(
        box(10, top + number * (high + 4) + 2, 100 * share, high, shade=shade)
        for number, share in enumerate(shares)
    )
    if chance is not None:
        x = 10 + 100 * chance
        drawn += f'<path d="M{x:g} 10 V{HEIGHT - 10}" stroke="currentColor" stroke-width="4"/>'
    if needs is not None:
        drawn += line((10 + 100 * needs, 4), (10 + 100 * needs, HEIGHT - 4), dashed=True)
    return drawn


def steps(*names: str, shaded: Iterable[int] = (), crossed: Iterable[int] = ()) -> str:
    """Boxes with arrows from one to the next."""
    wide = (WIDTH - 4 - 12 * (len(names) - 1)) / len(names)
    dark, out = set(shaded), set(crossed)
    drawn = ""
    for number, name in enumerate(names):
        x = 2 + number * (wide + 12)
        drawn += box(x, 18, wide, 22, shade=0.3 if number in dark else 0.0)
        drawn += words(x + wide / 2, 33, name)
        if number in out:
            drawn += line((x + 2, 14), (x + wide - 2, 44)) + line((x + wide - 2, 14), (x + 2, 44))
        if number:
            drawn += arrow((x - 11, 29), (x - 1, 29))
    return drawn


def dots(centre: float, *places: float, around: float = 0.0) -> str:
    """Measurements on a line, with a tall tick at the mean and a bracket of a width around it."""
    drawn = line((6, 40), (114, 40)) + line((centre, 14), (centre, 46))
    drawn += "".join(
        f'<circle cx="{place:g}" cy="40" r="3.2" fill="currentColor"/>' for place in places
    )
    if around:
        low, high = centre - around, centre + around
        drawn += line((low, 18), (low, 26)) + line((high, 18), (high, 26))
        drawn += line((low, 22), (high, 22))
    return drawn
