"""The line in a bar decides: a bar over it is never gray, one under it is never active."""

from __future__ import annotations

import pytest

from headroles.capture import capture
from headroles.models import load_model
from headroles.paths import CATEGORIES, DEMO_MODEL
from headroles.roles import ROLES, SCORED_ROLES
from headroles.store import ModelEntry, read_entry
from headroles.texts import DEFAULT_PROMPT, STORY_EXAMPLES
from headroles.types import PromptRun, Verdict
from headroles.verdicts import judge, judge_heads, score_run, thresholds_in, verdict_row
from headroles.view import role_cards

PROMPTS = sorted(
    {DEFAULT_PROMPT, "cat", "no no no no no no", "a b a b a b a b", "The The The cat The"}
    | {example.prompt for example in STORY_EXAMPLES}
    | {hint for role in SCORED_ROLES for hint in role.story_hints + role.text_hints}
)


def every_verdict(run: PromptRun, entry: ModelEntry) -> list[tuple[float, Verdict]]:
    """Every head in every role that attention can show, each with the role's ``min_lift``."""
    scores, thresholds = score_run(run), thresholds_in(entry)
    basic = [
        (role, judge(head, role.key, scores, thresholds[role.key]))
        for role in SCORED_ROLES
        for head in entry.heads
    ]
    extended = [
        (stored.role, verdict)
        for stored in entry.extended.values()
        if stored.is_measured and stored.role.from_attention
        for verdict in judge_heads(stored, run, scores)
    ]
    return [(role.min_lift * role.has_cells, verdict) for role, verdict in basic + extended]


def check_lines(run: PromptRun, entry: ModelEntry) -> int:
    """How many bars have a line; each is where the documents say, and decides."""
    drawn = 0
    for lift, verdict in every_verdict(run, entry):
        row = {"label": verdict.head.label, **verdict_row(verdict)}
        line, words = role_cards.line(row), role_cards.shown(row)
        value, chance = verdict.activation.value, verdict.activation.chance
        if line is None:
            assert not verdict.is_active
            assert role_cards.STATE_WORDS[verdict.state] in words
            continue
        drawn += 1
        clearly = chance + lift * (1 - chance) if lift else 0.0
        assert line == pytest.approx(max(verdict.threshold, clearly))
        if verdict.is_active:
            assert value >= line
        elif value >= line:  # only the second witness of the resting heads can still decide
            if ROLES[verdict.role].needs_cue:  # or the control, of a role that needs a cue
                assert role_cards.shown_verdict(verdict).endswith(role_cards.BY_PLACE)
                continue
            assert verdict.role == "positional"
            assert words.endswith(role_cards.WORKS)
        else:
            assert "needs" in words
    return drawn


@pytest.mark.skipif(not (DEMO_MODEL / "config.json").exists(), reason="no bundled model")
def test_a_bar_over_its_line_is_never_gray_and_one_under_it_never_active() -> None:
    loaded, entry = load_model("demo"), read_entry("demo", CATEGORIES)
    drawn = [check_lines(capture(loaded, prompt), entry) for prompt in PROMPTS]
    assert min(drawn) == 0  # "cat" is too short to draw one
    assert sum(map(bool, drawn)) > 20
