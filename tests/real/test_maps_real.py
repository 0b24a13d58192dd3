"""What the pages offer for a model of thirty layers: examples, hints and the first knock-out."""

from __future__ import annotations

import pytest

from headroles import ablation, get_active_head_summary, texts
from headroles.capture import capture
from headroles.roles import ROLES, SCORED_ROLES
from headroles.store import categories
from headroles.types import Head
from headroles.ui.knockout_lab import choose_heads
from headroles.verdicts import judge_heads
from tests.promises import kept_and_broken

pytestmark = pytest.mark.real

CUED = ("subword_merge", "long_prefix", "semantic_category", "brackets")


def active(real, prompt: str) -> dict[str, list[str]]:
    """{role: labels of its listed heads that are active on the prompt}."""
    summary = get_active_head_summary(capture(real, prompt), real.key)
    return {
        key: [head["label"] for head in heads if head["is_active"]]
        for key, heads in summary.items()
    }


@pytest.mark.parametrize(
    ("role", "hint"), [(role.key, hint) for role in SCORED_ROLES for hint in role.text_hints]
)
def test_every_hint_wakes_two_heads_of_its_role(real, role: str, hint: str) -> None:
    assert len(active(real, hint)[role]) >= 2


@pytest.mark.parametrize(
    ("role", "hint"), [(role, hint) for role in CUED for hint in ROLES[role].text_hints]
)
def test_every_hint_of_a_role_with_a_cue_wakes_a_listed_head(real, role: str, hint: str) -> None:
    stored = categories.read_entry(real.key).role(role)
    awake = {one.head for one in judge_heads(stored, capture(real, hint)) if one.is_active}
    assert awake & {*stored.listed}
    assert not awake & {*stored.by_place(0.0)}


def test_roles_with_a_cue_are_seen_on_this_model_and_told_from_their_neighbours(real) -> None:
    entry = categories.read_entry(real.key)
    assert all(entry.listed(role) for role in (*CUED, "retrieval"))
    merges, longer = entry.role("subword_merge"), entry.role("long_prefix")
    (looks_back, *_) = entry.listed("previous_token")
    assert merges.score(looks_back) > 0.9
    assert looks_back in merges.by_place(0.4)
    # Induction heads of one matching token have less than half of the long-prefix heads' score.
    one_token = Head(17, 4)
    assert entry.role("induction").score(one_token) > 0.9
    assert longer.score(one_token) < 0.5 * longer.score(longer.listed[0])


def test_every_prompt_that_the_analysis_stored_wakes_the_heads_that_it_names(real) -> None:
    entry = categories.read_entry(real.key)
    kept, broken = kept_and_broken(real, entry)
    assert not broken
    for role in ("induction", "duplicate_token"):
        woken = {head for key, head, _ in kept if key == role}
        assert len(woken) >= len(entry.listed(role)) - 1
        assert {*entry.listed(role)} - woken == {Head(*at) for at in entry.hints[role].in_vain}


def test_a_row_of_random_words_wakes_more_induction_heads_than_the_first_prompt(real) -> None:
    words = next(e.prompt for e in texts.TEXT_EXAMPLES if e.label == "Random words twice")
    assert len(active(real, words)["induction"]) >= 5
    assert len(active(real, texts.DEFAULT_PROMPT)["induction"]) >= 3


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("Random words twice", " garden"),
        ("Capitals", " Rome"),
        ("Who gets the drink?", " Mary"),
        ("A name again", " Zhao"),
    ],
)
def test_the_model_continues_the_examples(real, label: str, answer: str) -> None:
    prompt = next(example.prompt for example in texts.TEXT_EXAMPLES if example.label == label)
    guess = capture(real, prompt).next_tokens[0]
    assert guess.text == answer
    assert guess.probability > 0.5


def test_the_first_knock_out_ends_a_row_of_random_words(real) -> None:
    """Three induction heads, where the page begins, against as many heads that rest."""
    prompt = next(e.prompt for e in texts.TEXT_EXAMPLES if e.label == "Random words twice")
    entry = categories.read_entry(real.key)
    working = active(real, prompt)["induction"]
    resting = [head.label for head in entry.categories["positional"].heads]
    others = [label for label in resting if label not in working]
    first = choose_heads.first_heads(entry, working)
    change = {}
    for name, labels in {"first": first, "others": others[: len(first)]}.items():
        heads = tuple(Head.parse(label) for label in labels)
        condition = ablation.Condition(name, (ablation.HeadOutput(heads, "mean"),))
        table = ablation.tabulate(real, prompt, [condition], answer="", top=1, position=-1)
        change[name] = table.rows[0].comparison.repeat_loss_change
    assert change["first"] > 1
    assert abs(change["others"]) < 0.5 * change["first"]
