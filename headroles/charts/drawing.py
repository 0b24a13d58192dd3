"""A chart in two parts: its shape, which is kept, and its data, which change with every prompt.

To build a chart with Altair and check it against the schema takes far longer than to list the
numbers that it draws. So each shape is built once (:func:`template`), with names for its data sets,
and a :class:`Drawing` puts data in. What else differs from prompt to prompt has a place in the
template: a string that begins with ``@``, or a list that holds only such a string.

>>> template = {"mark": "bar", "data": {"name": "heads"}, "title": "@title"}
>>> drawn = Drawing(template, {"heads": [{"value": 1}]}, height=40, values={"title": "share"})
>>> drawn.to_dict()["title"], drawn.to_dict()["datasets"]
('share', {'heads': [{'value': 1}]})
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, ParamSpec

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import altair as alt

Settings = ParamSpec("Settings")
Data = Sequence[Mapping[str, object]] | Mapping[str, np.ndarray]
"""Records that all have the same names, or columns of one length."""
ZERO = [{"at": 0}]
"""The data of a line at zero."""
SHAPES = 32
"""Most shapes that are kept of each chart."""
_BUILDING = threading.Lock()  # Altair's settings belong to the whole process


def template(
    build: Callable[Settings, alt.TopLevelMixin],
) -> Callable[Settings, dict[str, object]]:
    """Build each shape of a chart once and keep it as a Vega-Lite dict, which nobody may change.

    The arguments of ``build`` are what the shape depends on: hashable, and of few values.
    """

    @lru_cache(maxsize=SHAPES)
    @wraps(build)
    def kept(*args: Settings.args, **settings: Settings.kwargs) -> dict[str, object]:
        with _BUILDING:
            return build(*args, **settings).to_dict()

    return kept


@dataclass(frozen=True)
class Drawing:
    """A chart that is ready to be shown or saved."""

    template: Mapping[str, object]
    """From a function with :func:`template`."""
    data: Mapping[str, Data]
    """{name in the template: its data}."""
    height: int
    """Pixels of the marks; axes come on top of that."""
    values: Mapping[str, object] = field(default_factory=dict)
    """{place in the template, without its @: what stands there}."""
    width: int | None = None
    """Pixels of the marks; by default as wide as the chart's place."""

    def to_dict(self) -> dict[str, object]:
        """The complete Vega-Lite chart, its data as records."""
        chart, data = self._parts()
        return chart | {"datasets": {name: _records(rows) for name, rows in data.items()}}

    def for_page(self) -> dict[str, object]:
        """The same with its data as Arrow bytes, which ``st.vega_lite_chart`` sends as they are."""
        chart, data = self._parts()
        return chart | {"datasets": {name: _arrow(rows) for name, rows in data.items()}}

    def _parts(self) -> tuple[dict[str, object], dict[str, Data]]:
        """The chart with every place filled, and all data: its own and those of its template."""
        chart = _filled(self.template, self.values)
        own = chart.pop("datasets", {})
        size = {"height": self.height} | ({} if self.width is None else {"width": self.width})
        return chart | size, {**own, **self.data}


def _filled(part: object, values: Mapping[str, object]) -> object:
    """A copy of a template with its places filled.

    Raises:
        KeyError: for a place without a value.
    """
    if isinstance(part, dict):
        return {key: _filled(inner, values) for key, inner in part.items()}
    if isinstance(part, list):
        alone = len(part) == 1 and _is_place(part[0])
        return _filled(part[0], values) if alone else [_filled(inner, values) for inner in part]
    return values[part[1:]] if _is_place(part) else part


def _is_place(part: object) -> bool:
    return isinstance(part, str) and part.startswith("@")


def _columns(data: Data) -> dict[str, Sequence[object]]:
    """{name: values}."""
    if isinstance(data, Mapping):
        return dict(data)
    return {name: [record[name] for record in data] for name in (data[0] if data else ())}


def _records(data: Data) -> list[dict[str, object]]:
    """One dict per row, of what JSON can hold."""
    columns = {name: [_plain(value) for value in c] for name, c in _columns(data).items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(value: object) -> object:
    """A value as JSON has it; None for a number that is none."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _arrow(data: Data) -> bytes:
    """A table as an Arrow stream."""
    table = pa.table({name: _array(values) for name, values in _columns(data).items()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return sink.getvalue().to_pybytes()


def _array(values: Sequence[object] | np.ndarray) -> pa.Array:
    try:
        return pa.array(values, from_pandas=True)  # NaN becomes null, as in JSON
    except UnicodeEncodeError:  # a token may hold half a character, which UTF-8 does not know
        return pa.array([v.encode("utf-8", "replace").decode() if v else v for v in values])
