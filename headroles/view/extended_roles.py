"""What the pages say about extended roles. Pure: no Streamlit.

>>> summary_rows(entry)[0]  # doctest: +SKIP
['Delimiter', 'L2H6 0.403 ± 0.012', '0.335', '18']
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from headroles import models, verdicts
from headroles.formatting import decimal, listing, ordinal, percent, signed
from headroles.roles import COPIED, FALL, RATE, Role, named_heads
from headroles.types import Head
from headroles.view import head_maps
from headroles.view.head_records import going_by_place, number, plain
from headroles.view.role_cards import RoleCard, role_card

if TYPE_CHECKING:
    from headroles.store import ModelEntry, StoredRole
    from headroles.types import PromptRun
    from headroles.verdicts import PromptScores

_NOT_ON_A_PROMPT = (
    "One prompt cannot show this role: attention says where a head looks, not what it writes."
)
_NO_NEEDLE = (
    "A prompt cannot show this role by itself: it takes a text whose answer is known, and the "
    "model saying it."
)


def not_on_a_prompt(role: Role) -> str:
    """Why a role is not judged on a prompt."""
    return _NO_NEEDLE if role.unit == COPIED else _NOT_ON_A_PROMPT


def by_papers(model: str, role: Role) -> dict[Head, str]:
    """{head: source} the heads of a model that papers name for a role; mostly none."""
    return {known.head: known.source for known in named_heads(model, role=role.key)}


def columns(
    entry: ModelEntry | None, run: PromptRun | None = None
) -> dict[Role, Sequence[Mapping[str, object]]]:
    """{role as it was measured: records} of every role with numbers: stored ones, or a prompt's.

    Args:
        entry: the stored analysis; without its section there are no columns.
        run: the prompt; None for the stored scores.
    """
    records = {}
    for stored in entry.extended.values() if entry else ():
        if stored.is_measured and run is None:
            records[stored.role] = head_maps.stored_map(stored).records
        elif stored.is_measured and stored.role.from_attention:
            records[stored.role] = on_prompt(stored, run).records
    return records


def on_prompt(
    stored: StoredRole, run: PromptRun, *, papers: Collection[Head] = ()
) -> head_maps.RoleMap:
    """Every head on a prompt in an extended role that attention can show."""
    judged = verdicts.judge_heads(stored, run)
    return head_maps.prompt_map(
        stored.role, judged, marked=stored.listed, stored=stored, papers=papers
    )


def card(
    stored: StoredRole,
    run: PromptRun,
    scores: PromptScores,
    entry: ModelEntry | None = None,
) -> RoleCard:
    """An extended role that attention can show on a prompt, as a card like the basic roles'."""
    judged = dict(zip(stored.heads, verdicts.judge_heads(stored, run, scores), strict=True))
    return role_card(
        stored.role,
        [
            {
                "layer": top.layer,
                "head": top.head,
                "label": top.place.label,
                "score": top.score,
                "standard_error": top.standard_error,
                "roles": [],
                "note": f"{stored.distance(top.place)} back" if stored.profile else "",
                **verdicts.verdict_row(judged[top.place]),
            }
            for top in stored.category.top_heads
        ],
        entry,
    )


def nearest(stored: StoredRole) -> str:
    """For a role that lists no head: the head that comes closest."""
    best = stored.strongest
    sentence = (
        f"The analysis lists no head for this role. The closest is {best.label} with "
        f"{percent(stored.score(best))} of its attention; the threshold is "
        f"{percent(stored.category.threshold)}."
    )
    return f"{sentence} {going_by_place(stored)}".strip()


def seen_on(key: str, entries: Mapping[str, ModelEntry], *, besides: str) -> str:
    """On which other analysed models a role has heads, with the strongest of each.

    Args:
        key: the role's key.
        entries: {model: its analysis}.
        besides: the model that is looked at, which is left out.
    """
    found = []
    for model, entry in entries.items():
        if model == besides or key not in entry.extended:
            continue
        tops = entry.extended[key].category.top_heads
        if tops:
            more = f" and {len(tops) - 1} more" if len(tops) > 1 else ""
            name = models.name_of(model).partition(" (")[0]
            found.append(f"{name} ({tops[0].place.label}{more})")
    if not found:
        return "No other model that has been analysed here lists a head for it."
    return f"To see it, choose {listing(found, last='or')}."


def out_of(stored: StoredRole) -> str:
    """What a role's numbers are out of: texts, n, chance or zero, threshold."""
    role, category = stored.role, stored.category
    what = {RATE: "words", COPIED: "needles"}.get(role.unit, "texts")
    if role.unit == FALL:
        level = f"listed: from a fall of {100 * category.threshold:.1f} percentage points"
        zero = "at 0 nothing changes without the head"
    elif role.is_signed:
        side = "above" if role.sign > 0 else "below"
        level = f"listed: {side} {signed(stored.limit)} logits"
        zero = "at 0 a head writes neither for nor against"
    else:
        level, zero = f"listed: from {category.threshold:.0%}", f"chance {category.chance:.0%}"
    return f"Measured on {category.n} {what} ({category.measured_on}); {zero}; {level}."


def summary_rows(entry: ModelEntry) -> list[list[str]]:
    """Every extended role with its listed heads, threshold and n, or why it has none."""
    rows = []
    for stored in entry.extended.values():
        role, category = stored.role, stored.category
        if not stored.is_measured:
            rows.append([role.name, f"not measured: {category.not_measured}", "–", "–"])
            continue
        heads = [
            f"{top.place.label} {plain(role, top.score, top.standard_error)}"
            for top in category.top_heads
        ]
        names = ", ".join(heads) or "none"
        rows.append([role.name, names, plain(role, stored.limit), str(category.n)])
    return rows


KNOCKED_OUT = "Knocked out at the end"


def knock_out_short(stored: StoredRole, head: Head) -> str:
    """For a table: what the name's logit changes by without a name mover."""
    done = stored.knock_out(head)
    if done is None:
        return "not run"
    change = f"{signed(done.change)} ± {done.standard_error:.2f}"
    return f"{change} (it adds {signed(done.direct)})"


def knock_out_sentence(stored: StoredRole, head: Head) -> str:
    """What a knock-out of a name mover really does, beside what it writes; empty if not run."""
    done = stored.knock_out(head)
    if done is None:
        return ""
    least = 2 * done.standard_error
    missing = done.direct + done.change  # what it adds itself and does not fall
    change = f"{decimal(abs(done.change))} ± {done.standard_error:.2f} logits"
    own = f"it adds {decimal(done.direct)} itself"
    if abs(done.change) <= least:
        what = f"the right name does not clearly change ({signed(done.change)} ± {least / 2:.2f})"
        why = f"{own}: other heads make up for it" if missing > least else own
    else:
        what = f"the right name {'falls' if done.change < 0 else 'rises'} by {change}"
        why = f"{own}: about as much"
        if missing > least:
            why = f"{own}: other heads make up for the rest"
        elif missing < -least:
            why = f"{own}: later heads build on it"
    lead = f"Against the subject alone: {signed(done.lead_change)} ± {done.lead_error:.2f}."
    return f"Knocked out at the end of the sentence, {what} against the other names; {why}. {lead}"


def strongest_knocked_out(stored: StoredRole) -> str:
    """The same of the strongest name mover, by name; empty if none was knocked out."""
    for head in stored.listed[:1]:
        if done := knock_out_sentence(stored, head):
            return f"{head.label}: {done[0].lower()}{done[1:]}"
    return ""


HEADERS = ("Role", "Score", "Chance", "Threshold", "Control", "Rank", "Listed")


def passport_rows(entry: ModelEntry, head: Head) -> list[list[str]]:
    """Every extended role of a head: score, chance or zero, threshold, control, rank, listed."""
    return [_passport_row(stored, head) for stored in entry.extended.values()]


def _passport_row(stored: StoredRole, head: Head) -> list[str]:
    role = stored.role
    if not stored.is_measured or stored.is_unseen(head):
        return [role.name, "not measured", "–", "–", "–", "–", "–"]
    listed, is_signed = head in stored.listed, role.is_signed
    score = plain(role, stored.score(head), stored.error(head))
    return [
        role.name,
        f"{'●' if listed else '○'} {score}",
        "0" if is_signed else f"{stored.category.chance:.2f}",
        (signed if is_signed else decimal)(stored.limit),
        plain(role, stored.control_score(head), stored.control_error(head)),
        f"{ordinal(stored.rank(head))} of {len(stored.known_heads)}",
        "listed" if listed else "–",
    ]


def passport_sentences(entry: ModelEntry, head: Head) -> list[str]:
    """A head's extended roles as sentences: those that list it, or whose opposite it does."""
    sentences = []
    for stored in entry.extended.values():
        role = stored.role
        if not stored.is_measured:
            sentences.append(f"{role.name}: not measured. {stored.category.not_measured}")
            continue
        if stored.is_unseen(head):
            sentences.append(f"{role.name}: not measured. Its places are out of this head's sight.")
            continue
        value = stored.score(head)
        if head in stored.listed:
            words = [number(role, value), *head_maps.offset_words(stored, head)]
            done = knock_out_sentence(stored, head)
            sentences.append(f"{role.name}: {', '.join(words)}. {done}".strip())
        elif role.is_signed and -role.sign * value >= stored.category.threshold:
            sentences.append(f"Not {role.name}, but the opposite: {number(role, value)}.")
    return sentences


def profile_records(entry: ModelEntry, head: Head) -> list[dict[str, object]]:
    """A head's reference offset profile on both kinds of text; empty where none was measured."""
    profiles, (layer, place) = entry.profiles.get("fixed_offset"), head
    if profiles is None:
        return []
    records = []
    for text, means, errors in (
        ("sentences", profiles.scores, profiles.standard_errors),
        ("random tokens", profiles.control, profiles.control_errors),
    ):
        for at, distance in enumerate(profiles.distances):
            share, error = means[at][layer][place], errors[at][layer][place]
            records.append(
                {
                    "distance": distance,
                    "text": text,
                    "share": share,
                    "low": max(share - error, 0.0),
                    "high": share + error,
                    "chance": profiles.chance[at],
                    "shown": f"{text}: {share:.1%} ± {error:.1%}, even {profiles.chance[at]:.1%}",
                }
            )
    return records
