"""The names of the section *When the pattern changes* in the address of the page Find heads."""

from __future__ import annotations

from headroles import limits
from headroles.ui.app import link
from headroles.ui.app.link import Row, Unusable
from headroles.ui.find_heads import sequence_state as state

_read_period = link.whole(limits.PERIODS, "period")


def _read_periods(text: str) -> tuple[int, ...]:
    periods = tuple(sorted({_read_period(number) for number in text.split(",")}))
    if len(periods) < state.FEWEST_PERIODS:
        raise Unusable("which is only one.", "Two different periods are needed, for example 3,6.")
    return periods


def _compared() -> tuple[int, ...] | None:
    periods = state.periods()
    return periods if len(periods) >= state.FEWEST_PERIODS else None


ROWS = (
    Row("sequence", state.KIND, "kind of sequence",
        link.one_of(state.KIND_NAMES, "kinds of sequences"), first=state.KIND_NAMES[0]),
    Row("periods", state.PERIODS, "list of periods", _read_periods,
        lambda periods: ",".join(map(str, periods)), first=state.FIRST_PERIODS,
        put=state.choose_periods, get=_compared),
    Row("without_itself", state.WITHOUT_ITSELF, "switch",
        link.flag("1 leaves a token's look at itself out, 0 counts it."),
        lambda on: str(int(on)), first=False),
)  # fmt: skip
