"""What the pages say of extended roles and of the random-token control. Pure: no Streamlit.

>>> sentence(EXTENDED_ROLES["name_mover"], entry)  # doctest: +SKIP
'6 of 32 heads are listed as Name mover; the furthest is L1H0 with +0.88 logits, for the token.'
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headroles import scoring, verdicts
from headroles.formatting import ordinal
from headroles.roles import (
    EXTENDED_ROLES,
    LOGITS,
    RATE,
    ROLES,
    SCORED_ROLES,
    ExtendedRole,
    named_heads,
)
from headroles.types import Head
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.scoring import PlaceOrContent
    from headroles.store import ExtendedScores, ModelEntry
    from headroles.types import PromptRun

TWO_TEXTS_HEADERS = ("Role", "On sentences", "On random tokens", "What that says")
"""The columns of a table of heads or roles on both kinds of text."""
PLACE_OR_CONTENT_RULE = (
    "The rule: of what a head scores over chance on sentences, three quarters or more is left on "
    "random tokens: positional (also where two standard errors cannot tell the two numbers "
    "apart). A quarter or less: content-driven. In between: partly."
)


def number(role: ExtendedRole, value: float) -> str:
    """A score as people read it, with its unit and its sign in words.

    >>> number(EXTENDED_ROLES["name_mover"], -0.5), number(EXTENDED_ROLES["delimiter"], 0.25)
    ('−0.50 logits, against the token', '25% of its attention')
    """
    if role.unit == LOGITS:
        text = f"{value:+.2f}".replace("-", "−")
        if round(value, 2) == 0:
            return "0.00 logits, neither for nor against"
        return f"{text} logits, {'for' if value > 0 else 'against'} the token"
    what = "of the words" if role.unit == RATE else "of its attention"
    return f"{value:.0%} {what}"


def plain(role: ExtendedRole, value: float, error: float | None = None) -> str:
    """A score with its error, short, for a table."""
    text = (f"{value:+.3f}" if role.is_signed else f"{value:.3f}").replace("-", "−")
    return text if error is None else f"{text} ± {error:.3f}"


def listed(scores: ExtendedScores) -> set[Head]:
    """The heads that an extended role lists."""
    return {Head(top.layer, top.head) for top in scores.top_heads}


NOT_ON_A_PROMPT = (
    "One prompt cannot show this role: attention says where a head looks, not what it writes."
)
PAPERS = "named for it by papers"


def by_papers(model: str, role: ExtendedRole) -> dict[Head, str]:
    """{head: source} the heads of a model that papers name for a role; mostly none."""
    return {one.head: one.source for one in named_heads(model, role=role.key)}


def records(
    role: ExtendedRole, scores: ExtendedScores, *, papers: Collection[Head] = ()
) -> list[dict[str, object]]:
    """One record a head for a map: layer, head, label, value, active, listed, papers, shown."""
    in_list = listed(scores)
    found = []
    for layer, row in enumerate(scores.scores):
        for place, value in enumerate(row):
            head = Head(layer, place)
            control = number(role, scores.control[layer][place])
            words = [
                f"{number(role, value)} (± {scores.standard_errors[layer][place]:.3f})",
                *offset_words(scores, head),
                f"control: {control}",
            ]
            found.append(_record(head, value, head in in_list, scores, words, papers))
    return found


def _record(
    head: Head,
    value: float,
    active: bool,
    scores: ExtendedScores,
    words: list[str],
    papers: Collection[Head],
) -> dict[str, object]:
    is_listed = head in listed(scores)
    words = [*words, *["listed"] * is_listed, *[PAPERS] * (head in papers)]
    return {
        "layer": head.layer,
        "head": head.head,
        "label": head.label,
        "value": round(value, 4),
        "active": active,
        "listed": is_listed,
        "papers": head in papers,
        "shown": ", ".join(words),
    }


@dataclass(frozen=True)
class OnPromptMap:
    """Every head in one extended role on a prompt."""

    records: list[dict[str, object]]
    """As :func:`records`; ``active`` is on this prompt."""
    chance: float
    """0..1, an even spread's; of a fixed offset, the mean over the heads' own distances."""
    sentence: str
    """The take-away, or why nobody can be judged."""
    unjudged: int
    """Heads for whose distance the prompt is too short."""


def on_prompt(
    role: ExtendedRole, scores: ExtendedScores, run: PromptRun, *, papers: Collection[Head] = ()
) -> OnPromptMap:
    """Judge every head on a prompt in a role that attention can show."""

    peaks = scores.profiles.peaks if scores.profiles else None
    judged = verdicts.judge_heads(run.attention, run.tokens, scores)
    found = []
    for place, one in enumerate(judged):
        head = Head(*divmod(place, len(scores.scores[0])))
        back = [f"{peaks[head.layer][head.head]} tokens back"] if peaks else []
        words = [one.shown, *back]
        found.append(_record(head, one.value, one.state == "active", scores, words, papers))
    chance = sum(one.chance for one in judged) / len(judged)
    unable = {one.state for one in judged} <= {"not_applicable", "too_short"}
    if unable and peaks is None:
        return OnPromptMap(found, chance, judged[0].reason, 0)
    if unable:
        return OnPromptMap(found, chance, "This prompt is too short for the heads' distances.", 0)
    active = [one for one in found if one["active"]]
    said = f"{len(active)} of {count(len(found), 'head')} are active as {role.name} on this prompt"
    if active:
        in_list = sum(bool(one["listed"]) for one in active)
        said += f"; {in_list} of these {len(active)} {'is' if in_list == 1 else 'are'} listed"
    unjudged = sum(one.state in ("not_applicable", "too_short") for one in judged)
    return OnPromptMap(found, chance, f"{said}.", unjudged)


def columns(
    entry: ModelEntry | None, run: PromptRun | None = None
) -> dict[str, list[dict[str, object]]]:
    """{role key: records} of every role with numbers: stored ones, or those of a prompt.

    Args:
        entry: the stored analysis; without its section there are no columns.
        run: the prompt; None for the stored scores.
    """
    found = {}
    for key, scores in entry.extended.roles.items() if entry and entry.extended else ():
        role = EXTENDED_ROLES[key]
        if scores.is_measured and run is None:
            found[key] = records(role, scores)
        elif scores.is_measured and role.from_attention:
            found[key] = on_prompt(role, scores, run).records
    return found


def offset_words(scores: ExtendedScores, head: Head) -> list[str]:
    """Where a head's offset profile peaks; nothing for other roles."""
    if scores.profiles is None:
        return []
    words = [f"{scores.profiles.peaks[head.layer][head.head]} tokens back"]
    if scores.profiles.previous[head.layer][head.head]:
        words.append("but more clearly 1 back: a previous-token head")
    return words


def sentence(role: ExtendedRole, scores: ExtendedScores) -> str:
    """The take-away of a role's map."""
    found = records(role, scores)
    total = count(len(found), "head")
    sign = role.sign or 1
    best = max(found, key=lambda one: sign * float(one["value"]))
    heads = len(scores.top_heads)
    names = (
        f"{heads} of {total} {'is' if heads == 1 else 'are'}" if heads else f"None of {total} is"
    )
    said = (
        f"{names} listed as {role.name}; the furthest is {best['label']} with "
        f"{number(role, float(best['value']))}."
    )
    return f"{said} {opposite(role, scores)}".strip()


def opposite(role: ExtendedRole, scores: ExtendedScores) -> str:
    """Of a signed role, how many heads do the opposite as strongly; empty where none does."""
    if not role.is_signed:
        return ""
    sizes = [-role.sign * value for row in scores.scores for value in row]
    over = sum(size >= scores.threshold for size in sizes)
    if not over:
        return ""
    way = "for the token: they copy it" if role.sign < 0 else "against the token"
    best = sizes.index(max(sizes))
    label = Head(*divmod(best, len(scores.scores[0]))).label
    value = number(role, -role.sign * sizes[best]).partition(",")[0]
    return f"{count(over, 'head')} write{'s' if over == 1 else ''} {way} (most {label}, {value})."


def out_of(role: ExtendedRole, scores: ExtendedScores) -> str:
    """What a role's numbers are out of: texts, n, chance or zero, threshold."""
    what = "words" if role.unit == RATE else "texts"
    if role.is_signed:
        level = f"±{scores.threshold:.2f} logits takes it into the list"
        if role.sign:
            side = "above" if role.sign > 0 else "below"
            level = f"listed: {side} {role.sign * scores.threshold:+.2f} logits".replace("-", "−")
        zero = "0 writes neither for nor against"
    else:
        level, zero = f"listed: from {scores.threshold:.0%}", f"chance {scores.chance:.0%}"
    return f"Measured on {scores.n} {what} ({scores.texts}); {zero}; {level}."


def summary_rows(entry: ModelEntry) -> list[list[str]]:
    """Every extended role with its listed heads, threshold and n, or why it has none."""
    rows = []
    for key, scores in entry.extended.roles.items():
        role = EXTENDED_ROLES[key]
        if not scores.is_measured:
            rows.append([role.name, f"not measured: {scores.reason}", "–", "–"])
            continue
        heads = [
            f"{Head(top.layer, top.head).label} {plain(role, top.score, top.standard_error)}"
            for top in scores.top_heads
        ]
        limit = (role.sign or 1) * scores.threshold
        rows.append([role.name, ", ".join(heads) or "none", plain(role, limit), str(scores.n)])
    return rows


HEADERS = ("Role", "Score", "Chance", "Threshold", "Control", "Rank", "Listed")


def passport_rows(entry: ModelEntry, head: Head) -> list[list[str]]:
    """Every extended role of a head: score, chance or zero, threshold, control, rank, listed."""
    return [
        _passport_row(EXTENDED_ROLES[key], scores, head)
        for key, scores in entry.extended.roles.items()
    ]


def _passport_row(role: ExtendedRole, scores: ExtendedScores, head: Head) -> list[str]:
    if not scores.is_measured:
        return [role.name, "not measured", "–", "–", "–", "–", "–"]
    layer, place = head
    value, sign = scores.scores[layer][place], role.sign or 1
    better = sum(sign * other > sign * value for row in scores.scores for other in row)
    in_list = head in listed(scores)
    threshold = role.sign * scores.threshold if role.is_signed else scores.threshold
    return [
        role.name,
        f"{'●' if in_list else '○'} {plain(role, value, scores.standard_errors[layer][place])}",
        "0" if role.is_signed else f"{scores.chance:.2f}",
        f"{threshold:+.2f}".replace("-", "−") if role.is_signed else f"{threshold:.2f}",
        plain(role, scores.control[layer][place], scores.control_errors[layer][place]),
        f"{ordinal(better + 1)} of {sum(len(row) for row in scores.scores)}",
        "listed" if in_list else "–",
    ]


def passport_sentences(entry: ModelEntry, head: Head) -> list[str]:
    """What a head's extended scores say in words: only what is listed, or has the other sign."""
    said = []
    for key, scores in entry.extended.roles.items():
        role = EXTENDED_ROLES[key]
        if not scores.is_measured:
            said.append(f"{role.name}: not measured. {scores.reason}")
            continue
        value = scores.scores[head.layer][head.head]
        if head in listed(scores):
            where = ", ".join(offset_words(scores, head))
            words = number(role, value) + (f", {where}" if where else "")
            said.append(f"{role.name}: {words}.")
        elif role.is_signed and -role.sign * value >= scores.threshold:
            said.append(f"Not {role.name}, but the opposite: {number(role, value)}.")
    return said


def profile_records(entry: ModelEntry, head: Head) -> list[dict[str, object]]:
    """A head's reference offset profile on both kinds of text; empty where none was measured."""
    scores = entry.extended.roles["fixed_offset"] if entry.extended else None
    if scores is None or scores.profiles is None:
        return []
    profiles, (layer, place) = scores.profiles, head
    found = []
    for text, means, errors in (
        ("sentences", profiles.scores, profiles.standard_errors),
        ("random tokens", profiles.control, profiles.control_errors),
    ):
        for at, distance in enumerate(profiles.distances):
            share, error = means[at][layer][place], errors[at][layer][place]
            found.append(
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
    return found


# ------------------------------------------------------------------ place or content


@dataclass(frozen=True)
class TwoTexts:
    """A role's scores on sentences and on random tokens."""

    key: str
    """The role's key, basic or extended."""
    name: str
    """What people read."""
    threshold: float
    """0..1."""
    zero: float
    """0..1, what no head does more than by chance; 0 where chance is no zero."""
    sentences: Sequence[Sequence[float]]
    """[layer][head]."""
    random: Sequence[Sequence[float]]
    """[layer][head]."""
    errors: tuple[Sequence[Sequence[float]] | None, Sequence[Sequence[float]] | None]
    """Standard errors of both; None where an older file has none."""

    def verdict(self, head: Head) -> PlaceOrContent:
        """Whether a head goes by place or by content."""

        layer, place = head
        known = [0.0 if one is None else one[layer][place] for one in self.errors]
        return scoring.place_or_content(
            self.sentences[layer][place],
            self.random[layer][place],
            threshold=self.threshold,
            zero=self.zero,
            errors=known,
        )

    def pair(self, head: Head) -> tuple[str, str]:
        """Both numbers with their errors."""
        layer, place = head
        values = (self.sentences[layer][place], self.random[layer][place])
        return tuple(
            f"{value:.3f}" + ("" if error is None else f" ± {error[layer][place]:.3f}")
            for value, error in zip(values, self.errors, strict=True)
        )

    @property
    def heads(self) -> list[Head]:
        """Every head, layer by layer."""
        return [
            Head(layer, place)
            for layer, row in enumerate(self.sentences)
            for place in range(len(row))
        ]


def two_texts(
    entry: ModelEntry, thresholds: Mapping[str, float], *, extended: bool
) -> dict[str, TwoTexts]:
    """Every role that was measured on sentences and on random tokens, by key."""
    found = {}
    for role in SCORED_ROLES:
        control, category = entry.controls.get(role.key), entry.categories.get(role.key)
        if control is not None:
            chance = (category.chance if category else None) or 0.0
            found[role.key] = TwoTexts(
                role.key,
                role.name,
                thresholds[role.key],
                chance if ROLES[role.key].has_cells else 0.0,
                entry.all_scores[role.key],
                control.scores,
                (entry.standard_errors.get(role.key), control.standard_errors),
            )
    for key, scores in entry.extended.roles.items() if extended and entry.extended else ():
        role = EXTENDED_ROLES[key]
        if role.from_attention and scores.is_measured:
            found[key] = TwoTexts(
                key,
                role.name,
                scores.threshold,
                scores.chance,
                scores.scores,
                scores.control,
                (scores.standard_errors, scores.control_errors),
            )
    return found


def two_texts_sentence(texts: TwoTexts) -> str:
    """How many heads of a role go by place, and how many by content."""
    kinds = [texts.verdict(head).kind for head in texts.heads]
    over = len(kinds) - kinds.count("neither")
    if not over:
        return f"No head reaches the threshold of {texts.name} on sentences."
    return (
        f"{over} of {count(len(kinds), 'head')} reach the threshold of {texts.name} on sentences: "
        f"{kinds.count('positional')} do it on random tokens too (positional), "
        f"{kinds.count('content')} only on real text (content-driven), "
        f"{kinds.count('partly')} in between."
    )


def two_texts_records(texts: TwoTexts, which: str) -> list[dict[str, object]]:
    """One record a head: the score on ``sentences``, ``random tokens``, or the ``difference``."""
    found = []
    for head in texts.heads:
        layer, place = head
        on_text, on_random = texts.sentences[layer][place], texts.random[layer][place]
        value = {
            "sentences": on_text,
            "random tokens": on_random,
            "difference": on_text - on_random,
        }[which]
        first, second = texts.pair(head)
        more = "more on sentences" if on_text > on_random else "more on random tokens"
        words = f"{first} on sentences, {second} on random tokens"
        found.append(
            {
                "layer": layer,
                "head": place,
                "label": head.label,
                "value": round(value, 3),
                "active": which != "difference" and value >= texts.threshold,
                "listed": False,
                "shown": f"{words}: {more}" if which == "difference" else words,
            }
        )
    return found
