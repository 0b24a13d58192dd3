"""The rule of verdicts on hand-made numbers, and what a file may say of them."""

from __future__ import annotations

import json

import pytest

from headroles.errors import CategoriesBrokenError
from headroles.reference import selection
from headroles.scoring.causal_verdict import Effect, clear_direction, judge
from headroles.store.schema import ModelEntry, to_json, validate
from headroles.view.causal import LABELS, MARKS, MEANINGS
from tests.entries import entry, plain_entry


def effect(change: float, error: float = 0.1, mean: float | None = 0.0, spread: float = 0.1):
    return Effect(change, error, mean, None if mean is None else spread)


@pytest.mark.parametrize(
    ("one", "direction"),
    [
        (effect(0.29), 1),  # 2 sqrt(.01 + .01) = .283
        (effect(0.28), 0),
        (effect(-0.29), -1),
        (effect(0.5, mean=0.4), 0),  # as much as other heads do
        (effect(0.19, error=0.1, mean=-1.0), 0),  # far from the control, not from zero
        (effect(0.0019, error=0.0, spread=0.0), 0),  # nothing that anybody would notice
        (effect(5.0, mean=None), 0),
    ],
)
def test_an_effect_is_clear_beyond_the_control_and_beyond_zero(one, direction):
    assert clear_direction(one) == direction


def test_verdicts():
    clear, nothing = effect(1.0), effect(0.1)
    assert judge(clear) == judge(clear, nothing) == "holds_up"
    assert judge(effect(-1.0), clear) == "reversed"
    assert judge(nothing, clear) == "backed_up"
    assert judge(effect(0.5, mean=0.4)) == judge(effect(-0.5, mean=-0.4)) == "not_special"
    assert judge(effect(0.5, mean=2.0)) == "not_special"  # clear, and less than other heads do
    assert judge(effect(9.74, mean=7.6, spread=2.9)) == "not_special"  # nobody's "no effect"
    # Its own effect is no "no effect alone", whatever the group does.
    assert judge(effect(0.5, mean=0.4), clear) == "not_special"
    assert judge(nothing, effect(0.5, mean=0.4)) == "no_effect"
    assert judge(nothing, nothing) == judge(nothing, effect(-1.0)) == "no_effect"
    assert judge(effect(1.0, mean=None), clear) == "not_tested"
    assert judge(clear, clear, can_read=False) == "cannot_tell"
    assert LABELS.keys() == MARKS.keys() == MEANINGS.keys()
    assert len(set(MARKS.values())) == len(MARKS)


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
