"""What may be concluded about one head, in one or two sentences, from its numbers. Pure.

>>> circuits(summary, roles=["induction"])  # doctest: +SKIP
'L1H1 looks for ... It copies: ...'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from headroles.formatting import count, decimal, listing, percent, signed
from headroles.roles import ROLES
from headroles.view.causal import BRIEFLY

if TYPE_CHECKING:
    from headroles.circuits import Composition, HeadSummary, KeyRow
    from headroles.types import CausalVerdict, Verdict
    from headroles.verdicts import AblationEvidence, Passport, RoleRecord

# ------------------------------------------------------------------ the close-up

MISSED: dict[CausalVerdict, str] = {
    "holds_up": "the model guesses clearly worse: it needs this head",
    "backed_up": "the model guesses no worse, because other heads of the role stand in for it",
    "reversed": "the model even guesses better",
    "not_special": "the guesses change no more than without random other heads",
    "no_effect": "nothing clear changes",
}
"""What happens to the guesses without a head, by verdict, in the order of what counts."""


def closeup(passport: Passport, verdicts: Sequence[Verdict]) -> str:
    """What the analysis of many texts adds to what a head does on one prompt (plain text).

    Args:
        passport: what is known about the head.
        verdicts: one per scored role, on this prompt.
    """
    if not passport.records:
        return "This model has not been analysed, so this prompt is all there is to go by."
    by_role = {record.role: record for record in passport.records}
    active = [verdict.role for verdict in verdicts if verdict.is_active]
    both = [role for role in passport.roles if role in active]
    if passport.made_elsewhere:
        return _made_elsewhere(passport, by_role, both)
    if both:
        said = f"It does so on many texts too: it scores {_scores(by_role, both)}."
    elif passport.roles:
        said = f"On many texts it does another job: it scores {_scores(by_role, passport.roles)}."
    elif active:
        said = f"On many texts it does not: it scores only {_scores(by_role, active)}."
    else:
        said = "On many texts it fits none of the five patterns either."
    return " ".join(filter(None, [said, _missed(passport, by_role, both or passport.roles)]))


def _made_elsewhere(
    passport: Passport, by_role: Mapping[str, RoleRecord], both: Sequence[str]
) -> str:
    """The same of scores that another program measured, nobody here knows on what."""
    if both:
        return f"Scores that were made elsewhere say so too: {_scores(by_role, both)}."
    if passport.roles:
        return (
            "Scores that were made elsewhere give it another job: "
            f"{_scores(by_role, passport.roles)}."
        )
    return "The scores that were made elsewhere give it none of the five jobs."


def _scores(by_role: Mapping[str, RoleRecord], roles: Sequence[str]) -> str:
    return listing([f"{decimal(by_role[role].score)} for {_in_sentence(role)}" for role in roles])


def _in_sentence(role: str) -> str:
    name = ROLES[role].name
    return name[:1].lower() + name[1:]


def _missed(passport: Passport, by_role: Mapping[str, RoleRecord], roles: Sequence[str]) -> str:
    """What knocking the head out showed, on the texts where it counted most."""
    places: list[AblationEvidence] = [
        place
        for role in roles
        if (evidence := by_role[role].ablation) is not None
        for place in evidence.everywhere(passport.head)
    ]
    known = [place for place in places if place.verdict in MISSED]
    if not known:
        return ""
    best = min(known, key=lambda place: list(MISSED).index(place.verdict))
    return f"Without it, on {BRIEFLY[best.role.measured_on]}, {MISSED[best.verdict]}."


# ------------------------------------------------------------------ circuits

CLEAR = 0.5
"""A copying score from which it says something."""
OFTEN = 0.1
"""The share of tokens that raise, or lower, themselves, from which a head clearly does so."""
OWN_COPY = 1.0
"""Standard deviations by which a token must want its own copy more than others."""
JUST_BEFORE = 0.3
"""The share of attention on the token before, by place alone, from which a head looks there."""


def goes_by_place(summary: HeadSummary) -> bool:
    """Whether a head chooses its keys by their place more than by their tokens."""
    return summary.by_place > summary.by_tokens


def writes(summary: HeadSummary) -> int:
    """1 for a head that clearly copies, −1 for one that clearly works against copies, else 0."""
    if summary.copying >= CLEAR and summary.copies >= OFTEN:
        return 1
    return -1 if summary.copying <= -CLEAR and summary.lowers >= OFTEN else 0


def circuits(summary: HeadSummary, *, roles: Sequence[str] = ()) -> str:
    """What a head looks for and what it writes, or that its weights do not say (plain text).

    Args:
        summary: its numbers.
        roles: the keys of the roles that list it.
    """
    looks, clear = _looks_for(summary, roles)
    written = _written(summary)
    if clear or writes(summary):
        return f"{looks} {written}"
    return f"Its weights alone do not tell a clear story. {looks} {written}"


def _looks_for(summary: HeadSummary, roles: Sequence[str]) -> tuple[str, bool]:
    """Where a head looks by its QK circuit, and whether that is a clear rule."""
    name = summary.head.label
    if goes_by_place(summary):
        if summary.preferred == 1 and summary.previous >= JUST_BEFORE:
            return (
                f"{name} looks at the token just before, whichever it is: position alone gives it "
                f"{percent(summary.previous)} of the attention (chance: "
                f"{percent(summary.previous_chance)}).",
                True,
            )
        back = summary.preferred
        where = f"the token {back} back" if back else "the token itself"
        return f"{name} goes by distance more than by tokens, and prefers {where}.", True
    if summary.self_match >= OWN_COPY:
        said = (
            f"{name} looks for copies of the current token: they score "
            f"{decimal(summary.self_match, digits=1)} standard deviations above others."
        )
        if "induction" in roles:
            said += (
                " As an induction head, it finds the token after a copy, by what an earlier head "
                "has written there."
            )
        return said, True
    if "induction" in roles:
        return (
            f"As an induction head, {name} goes by what an earlier head has written at each token, "
            "which these tables leave out.",
            False,
        )
    return f"{name} prefers some tokens to others, but by no simple rule.", False


def _written(summary: HeadSummary) -> str:
    """What a head writes by its OV circuit."""
    score = f"copying {signed(summary.copying)}, where +1 is a perfect copy"
    kind = writes(summary)
    if kind > 0:
        return f"It copies: what it looks at becomes likelier ({score})."
    if kind < 0:
        return (
            "It suppresses: what it looks at becomes less likely (copying "
            f"{signed(summary.copying)}, where −1 is a perfect opposite)."
        )
    if summary.copying >= CLEAR:
        return (
            f"It leans towards copying ({signed(summary.copying)} of 1), but a token is rarely "
            f"among the tokens it raises most ({_few(summary.copies)})."
        )
    if summary.copying <= -CLEAR:
        return (
            f"It leans towards suppressing ({signed(summary.copying)} of −1), but a token is "
            f"rarely among the tokens it lowers most ({_few(summary.lowers)})."
        )
    return (
        "What it writes is neither clearly a copy of what it looks at nor the opposite (copying "
        f"{signed(summary.copying)})."
    )


def _few(share: float) -> str:
    """How many tokens are, for so small a share."""
    return "under 1% of tokens" if share < 0.01 else f"{percent(share)} of tokens"


def example(summary: HeadSummary, row: KeyRow, names: Mapping[int, str]) -> str:
    """What a head does with one key of its table; empty where its writing has no clear rule."""
    kind = writes(summary)
    if not kind:
        return ""
    changed = row.promoted if kind > 0 else row.suppressed
    tokens = listing([f"“{names[value.token_id]}”" for value in changed[:3]])
    return (
        f"For example, when it finds “{names[row.token_id]}”, it makes {tokens} "
        f"{'likelier' if kind > 0 else 'less likely'}."
    )


def all_heads(summaries: Sequence[HeadSummary]) -> str:
    """How many heads have which clear circuit (plain text)."""
    kinds = [writes(summary) for summary in summaries]
    place = sum(map(goes_by_place, summaries))
    own = sum(
        summary.self_match >= OWN_COPY and not goes_by_place(summary) for summary in summaries
    )
    copy, suppress = kinds.count(1), kinds.count(-1)

    def does(heads: int, one: str, many: str) -> str:
        return f"{heads:,} {one if heads == 1 else many}"

    return (
        f"Of {count(len(summaries), 'head')}, "
        f"{does(copy, 'clearly copies what it looks at', 'clearly copy what they look at')} and "
        f"{does(suppress, 'clearly suppresses it', 'clearly suppress it')}; "
        f"{does(place, 'chooses', 'choose')} by place, and {does(own, 'looks', 'look')} for copies "
        "of the current token."
    )


READS = {
    "K": "So {later} can choose where to look by what {earlier} has written there.",
    "Q": "So {later} can ask for what {earlier} has found.",
    "V": "So {later} can pass on what {earlier} has written.",
}
"""What a strong pair may be for, by kind of composition."""
STANDS_OUT = 5.0
"""Spreads of the random matrices by which a pair must lie above their mean."""


def composition(result: Composition, pairs: Sequence[tuple[str, str, float]], head: str) -> str:
    """Which heads work together, and what that is for (plain text).

    Args:
        result: the scores with their baseline.
        pairs: (earlier, later, score), strongest first.
        head: the label of the chosen head, whose own best pair is named too.
    """
    line = result.baseline + STANDS_OUT * result.spread
    earlier, later, score = pairs[0]
    random = f"random matrices: {decimal(result.baseline, digits=3)}"
    if score <= line:
        return f"No pair stands out from random matrices ({decimal(score, digits=3)}; {random})."
    said = (
        f"{earlier} writes, {later} reads: the strongest {result.kind}-composition of "
        f"{count(len(pairs), 'pair')} ({decimal(score, digits=3)}; {random}). "
        + READS[result.kind].format(earlier=earlier, later=later)
    )
    if head in (earlier, later):
        return said
    own = next((pair for pair in pairs if head in pair[:2]), None)
    if own is None or own[2] <= line:
        return f"{said} No pair of {head} stands out."
    what = f"is read most by {own[1]}" if own[0] == head else f"reads most from {own[0]}"
    return f"{said} {head} {what} ({decimal(own[2], digits=3)})."
