"""The rule of verdicts on hand-made numbers, and what a file may say of them."""

from __future__ import annotations

import json
from typing import get_args

import numpy as np
import pytest
from scipy import stats

from headroles.errors import CategoriesBrokenError
from headroles.reference import selection
from headroles.scoring.causal_verdict import (
    Effect,
    clear_direction,
    effect_of,
    judge,
    level_over,
    needed,
)
from headroles.store.schema import ModelEntry, to_json, validate
from headroles.types import CausalVerdict
from headroles.view.causal import LABELS, MARKS, MEANINGS
from tests.entries import entry, plain_entry


def effect(
    change: float,
    error: float = 0.1,
    mean: float | None = 0.0,
    spread: float = 0.1,
    draws: int = 20,
):
    """Over 25 texts."""
    spread_or_none = None if mean is None else spread
    return Effect(change, error, mean, spread_or_none, texts=25, draws=draws)


@pytest.mark.parametrize(
    ("one", "direction"),
    [
        (effect(0.29), 1),  # t(42.2) = 2.018 times sqrt(.01 * 1.05 + .01) = .289
        (effect(0.28), 0),
        (effect(-0.29), -1),
        (effect(0.32, draws=5), 0),  # t(12.0) = 2.178 times sqrt(.01 * 1.2 + .01) = .323
        (effect(0.33, draws=5), 1),
        (effect(0.5, mean=0.4), 0),  # as much as other heads do
        (effect(0.20, mean=-1.0), 0),  # far from the control, not from zero: t(24) .1 = .206
        (effect(0.21, mean=-1.0), 1),
        (effect(0.0019, error=0.0, spread=0.0), 0),  # nothing that anybody would notice
        (effect(5.0, mean=None), 0),
    ],
)
def test_an_effect_is_clear_beyond_the_control_and_beyond_zero(one, direction):
    assert clear_direction(one) == direction


def test_verdicts():
    clear, nothing = effect(1.0), effect(0.1)
    assert judge(clear) == judge(clear, others_stand_in=True) == "holds_up"
    assert judge(effect(-1.0), others_stand_in=True) == "reversed"
    assert judge(nothing, others_stand_in=True) == "backed_up"
    assert judge(nothing) == "no_effect"
    assert judge(effect(0.5, mean=0.4)) == judge(effect(-0.5, mean=-0.4)) == "not_special"
    assert judge(effect(0.5, mean=2.0)) == "not_special"  # clear, and less than other heads do
    assert judge(effect(9.74, mean=7.6, spread=2.9)) == "not_special"  # nobody's "no effect"
    # Its own effect is no "no effect alone", whatever the group does.
    assert judge(effect(0.5, mean=0.4), others_stand_in=True) == "not_special"
    assert judge(effect(1.0, mean=None), others_stand_in=True) == "not_tested"
    assert judge(clear, can_read=False) == "cannot_tell"
    assert LABELS.keys() == MARKS.keys() == MEANINGS.keys() == set(get_args(CausalVerdict))
    assert len(set(MARKS.values())) == len(MARKS)


def test_a_stricter_level_makes_fewer_verdicts():
    three_errors = effect(0.3, mean=0.0, spread=0.01)  # t(24) = 3: p = .006
    assert three_errors.p_zero == pytest.approx(0.0062, abs=1e-4)
    assert judge(three_errors) == "holds_up"
    assert judge(three_errors, level=0.005) == "no_effect"


def test_the_two_p_values_are_those_of_the_textbook():
    rng = np.random.default_rng(0)
    changes, draws = rng.normal(0.1, 0.5, 24), rng.normal(0, 0.08, 7)
    error = changes.std(ddof=1) / 24**0.5
    one = effect_of(changes.mean(), draws.tolist(), standard_error=error, texts=24)
    assert one.p_zero == pytest.approx(stats.ttest_1samp(changes, 0).pvalue)
    # Welch's test of the texts' mean against *one more draw*, whose variance is s^2 (1 + 1/m).
    spread = draws.std(ddof=1)
    expected = stats.ttest_ind_from_stats(
        changes.mean(), changes.std(ddof=1), 24, draws.mean(), spread * 8**0.5, 7, equal_var=False
    )
    assert one.p_control == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("draws", [5, 20])
def test_a_head_like_the_others_is_called_special_as_often_as_the_level_says(draws):
    """On one prompt, whatever the number of draws; two spreads would be 14 % with five draws."""
    rng = np.random.default_rng(draws)
    all_draws = rng.normal(1, 0.2, (4000, draws + 1))
    p = np.array([effect_of(own, others).p_control for own, *others in all_draws.tolist()])
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.01)
    assert np.mean(p <= 0.01) == pytest.approx(0.01, abs=0.005)


@pytest.mark.parametrize("p", [[0.001, 0.02, 0.03, 0.6], [0.04] * 5, [0.2, 0.9], [0.01], [0.06]])
def test_the_level_is_that_of_benjamini_and_hochberg(p):
    adjusted = stats.false_discovery_control(p)
    assert [value <= level_over(p) for value in p] == [value <= 0.05 for value in adjusted]


def test_what_an_effect_needs_on_one_prompt_is_where_its_verdict_turns():
    draws = [0.4, 0.6, 0.5, 0.9, 0.1]
    least = needed(effect_of(0.0, draws))
    assert judge(effect_of(least + 1e-9, draws)) == "holds_up"
    assert judge(effect_of(least - 1e-9, draws)) == "not_special"


def evidence(**changes: object) -> dict:
    numbers = {
        "change": 1.0,
        "standard_error": 0.1,
        "control_mean": 0.0,
        "control_spread": 0.1,
        "draws": 20,
        "verdict": "holds_up",
    }
    heads = [{"layer": 1, "head": 2, **numbers}, {"layer": 1, "head": 1, **numbers}]
    group = {"heads": [[1, 2], [1, 1]], **numbers}
    return {
        "measured_on": "repeats",
        "n": 24,
        "baseline_loss": 0.5,
        "even_guess_loss": 8.0,
        "heads": heads,
        "group": group,
        **changes,
    }


def test_an_older_file_has_no_evidence_and_stays_as_it_is():
    old = entry()
    assert old.causal == {}
    assert '"causal"' not in to_json({"tiny": old})


def test_evidence_goes_through_a_file_a_head_a_line():
    stored = entry(causal={"induction": evidence()})
    text = to_json({"tiny": stored})
    assert validate(text, "x") == {"tiny": stored}
    line = next(line for line in text.splitlines() if '"control_spread"' in line)
    assert '"verdict": "holds_up"' in line
    assert stored.causal["induction"].of(1, 1).change == 1.0
    assert stored.causal["induction"].of(0, 1) is None


RULE = {"comparisons": 98, "level": 0.02, "parts": 8, "parts_level": 0.01}
PART = {"part": 0.5, "part_error": 0.1, "part_control_mean": 0.0, "part_control_spread": 0.1}


def test_evidence_on_two_kinds_of_text_and_the_parts_go_through_a_file():
    heads = [{**head, **PART, "verdict": "backed_up"} for head in evidence()["heads"]]
    on_repeats = evidence(heads=heads, rule=RULE)
    both = evidence(measured_on="sentences", rule=RULE, also=[on_repeats])
    stored = entry(causal={"induction": both})
    text = to_json({"tiny": stored})
    assert validate(text, "x") == {"tiny": stored}
    assert sum('"part_error"' in line and '"layer"' in line for line in text.splitlines()) == 2
    role = stored.causal["induction"]
    assert [place.measured_on for place in role.everywhere] == ["sentences", "repeats"]
    assert role.also[0].of(1, 2).verdict == "backed_up"
    wrong = evidence(also=[evidence(heads=[{**evidence()["heads"][0], "layer": 2}])])
    with pytest.raises(CategoriesBrokenError):
        validate(json.dumps({"tiny": plain_entry(causal={"induction": wrong})}), "a file")
    plain = ModelEntry.model_validate(plain_entry(causal={"induction": both}))
    fewer = selection.reselect(plain, {"induction": 0.9}, cap=1).causal["induction"].also[0]
    assert [(one.layer, one.head) for one in fewer.heads] == [(1, 2)]
    assert fewer.group is None


def test_an_old_backed_up_was_not_tested_and_is_read_so():
    head = {**evidence()["heads"][0], "verdict": "backed_up"}
    old = validate(
        json.dumps({"tiny": plain_entry(causal={"induction": evidence(heads=[head])})}), "x"
    )
    role = old["tiny"].causal["induction"]
    assert role.rule is None
    assert role.heads[0].verdict == "backup_untested"
    assert validate(to_json(old), "x") == old


@pytest.mark.parametrize(
    "causal",
    [
        {"inductoin": evidence()},
        {"induction": evidence(heads=[{**evidence()["heads"][0], "layer": 2}])},
        {"induction": evidence(heads=evidence()["heads"] * 2)},
        {"induction": evidence(group={**evidence()["group"], "heads": [[0, 9]]})},
        {"induction": evidence(n=1)},
        {"induction": evidence(baseline_loss=float("nan"))},
        {"induction": evidence(heads=[{**evidence()["heads"][0], "verdict": "proved"}])},
    ],
    ids=["role", "layer", "twice", "group", "n", "nan", "verdict"],
)
def test_wrong_evidence_is_refused(causal):
    with pytest.raises(CategoriesBrokenError):
        validate(json.dumps({"tiny": plain_entry(causal=causal)}), "a file")


def test_another_threshold_keeps_the_evidence_of_heads_that_stay():
    stored = ModelEntry.model_validate(plain_entry(causal={"induction": evidence()}))
    same = selection.reselect(stored, {"induction": 0.8}, cap=2)
    listed = [(t.layer, t.head) for t in same.categories["induction"].top_heads]
    assert listed == [(1, 2), (1, 1)]
    assert same.causal == stored.causal
    fewer = selection.reselect(stored, {"induction": 0.9}, cap=1).causal["induction"]
    assert [(one.layer, one.head) for one in fewer.heads] == [(1, 2)]
    assert fewer.group is None
    more = selection.reselect(stored, {"induction": 0.7}, cap=3)
    assert (1, 0) in [(t.layer, t.head) for t in more.categories["induction"].top_heads]
    assert more.causal["induction"].of(1, 0) is None
    assert len(more.causal["induction"].heads) == 2
    assert more.causal["induction"].group is None
