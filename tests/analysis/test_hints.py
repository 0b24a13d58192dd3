"""The prompts that wake listed heads: their choice by hand, and what they promise in the app."""

from __future__ import annotations

import pytest

from headroles import analysis, get_active_head_summary, store
from headroles.analysis.hints import candidates, fewest
from headroles.capture import capture
from headroles.models import load_model
from headroles.paths import CATEGORIES
from headroles.reference import WAKING_MARGIN
from headroles.roles import EXTENDED_ROLES, ROLES, Role
from headroles.store import categories
from headroles.texts.hint_prompts import ROWS, hint_prompts
from headroles.types import Activation, Head, Verdict
from headroles.verdicts import judge_heads
from scripts import analyze_heads
from tests.entries import entry as small_entry

A, B, C, D = Head(0, 0), Head(0, 1), Head(1, 0), Head(1, 1)
ROW = min(ROWS)


def woken(**values: float) -> dict[Head, Verdict]:
    """Heads by the letters above, active at a threshold of .4."""
    heads = {"a": A, "b": B, "c": C, "d": D}
    return {
        heads[name]: Verdict(
            heads[name], "induction", Activation(value, 0.1, 8), 0.4, "active", "", 0.0, 0.4
        )
        for name, value in values.items()
    }


def test_the_prompt_that_wakes_most_comes_first_then_what_is_left():
    tried = {"one": woken(a=0.9), "two": woken(a=0.5, b=0.5), "three": woken(c=0.5)}
    hints = fewest([A, B, C, D], tried)
    assert [hint.prompt for hint in hints.prompts] == ["two", "three"]
    assert hints.in_vain == [(1, 1)]
    assert hints.tried == 3
    assert hints.prompts[0].woken == {A: 0.5, B: 0.5}


def test_a_chosen_prompt_names_every_head_that_it_wakes():
    tried = {"wide": woken(a=0.5, b=0.5), "other": woken(b=0.9, c=0.6)}
    hints = fewest([A, B, C], tried)
    assert [hint.woken for hint in hints.prompts] == [{B: 0.9, C: 0.6}, {A: 0.5, B: 0.5}]
    assert hints.best(B).prompt == "other"
    assert hints.best(D) is None


def test_of_equals_a_text_comes_before_a_row_of_words_and_then_the_clearer_one():
    tried = {ROW: woken(a=1.0, b=1.0), "weak": woken(a=0.5, b=0.5), "clear": woken(a=0.6, b=0.5)}
    assert [hint.prompt for hint in fewest([A, B], tried).prompts] == ["clear"]
    tried = {ROW: woken(a=0.5, b=0.5), "text": woken(a=1.0)}
    assert [hint.prompt for hint in fewest([A, B], tried).prompts] == [ROW]


def test_a_role_that_nothing_wakes_has_no_prompt():
    hints = fewest([A, B], {"one": {}, "two": {}})
    assert hints.prompts == []
    assert hints.in_vain == [(0, 0), (0, 1)]


@pytest.mark.parametrize("stories", [True, False])
def test_the_candidates_are_different_and_fit_the_box(stories):
    prompts = hint_prompts(stories=stories)
    assert len(set(prompts)) == len(prompts) >= 30
    assert all(10 < len(prompt) <= 160 for prompt in prompts)
    # Behind those for all roles stand the extended roles' own, each once.
    tried = candidates("demo" if stories else "a folder that nobody listed")
    own = [hint for role in EXTENDED_ROLES.values() for hint in hints_of(role, stories)]
    assert tried == (*prompts, *(hint for hint in own if hint not in prompts))
    assert all(10 < len(prompt) <= 160 for prompt in own)


def hints_of(role: Role, stories: bool) -> tuple[str, ...]:
    return role.story_hints if stories else role.text_hints


# ------------------------------------------------------------------ what they promise in the app


@pytest.fixture(scope="module")
def entry():
    """The bundled model's entry, its hints found anew."""
    return analysis.renewed(categories.read_entry("demo"), "demo")


@pytest.fixture(scope="module")
def runs():
    """The candidates through PyVene, as the app runs a prompt."""
    loaded = load_model("demo")
    return {prompt: capture(loaded, prompt) for prompt in candidates("demo")}


def active_in_the_app(entry, run, path) -> dict[str, dict[Head, float]]:
    """{role: {listed head that the page calls active: its activation}}."""
    found = {
        key: {
            Head(row["layer"], row["head"]): row["activation_score"]
            for row in rows
            if row["is_active"]
        }
        for key, rows in get_active_head_summary(run, "demo", path=path).items()
    }
    for key, stored in entry.extended.items():
        if stored.role.from_attention:
            judged = [one for one in judge_heads(stored, run) if one.head in stored.listed]
            found[key] = {one.head: one.activation.value for one in judged if one.is_active}
    return found


def test_each_prompt_wakes_in_the_app_what_it_says_and_no_head_is_given_up_too_early(
    entry, runs, tmp_path
):
    """PyVene and the page's own summary against what TransformerLens found offline."""
    path = tmp_path / "head_categories.json"
    categories.write_entry(entry, path)
    awake = {prompt: active_in_the_app(entry, run, path) for prompt, run in runs.items()}
    shown = {
        key
        for key, category in entry.categories.items()
        if category.heads and key not in ("other", *_written())
    }
    assert entry.hints.keys() == shown
    for key, hints in entry.hints.items():
        own = {*hint_prompts(stories=True), *hints_of(ROLES[key], True)}
        tried = own if key in EXTENDED_ROLES else {*hint_prompts(stories=True)}
        assert hints.tried == len(tried)
        for hint in hints.prompts:
            seen = awake[hint.prompt][key]
            for head, activation in hint.woken.items():
                assert seen[head] == pytest.approx(activation, abs=1e-4)
        promised = {head for hint in hints.prompts for head in hint.woken}
        clearly = {
            head
            for prompt, of_roles in awake.items()
            if prompt in tried
            for head, value in of_roles[key].items()
            if value >= entry.categories[key].threshold + WAKING_MARGIN
        }
        assert promised == clearly
        assert {*entry.listed(key)} - clearly == {Head(*place) for place in hints.in_vain}


def _written() -> list[str]:
    """The roles that one prompt's attention cannot show."""
    return [key for key, role in EXTENDED_ROLES.items() if not role.from_attention]


def test_a_threshold_out_of_reach_promises_nothing(entry):
    induction = entry.categories["induction"].model_copy(update={"threshold": 0.9999})
    far = entry.model_copy(update={"categories": {**entry.categories, "induction": induction}})
    hints = analysis.renewed(far, "demo").hints["induction"]
    assert hints.prompts == []
    assert {Head(*place) for place in hints.in_vain} == {*entry.listed("induction")}


def test_the_command_renews_the_hints_and_nothing_else(entry, tmp_path, capsys):
    path = tmp_path / "head_categories.json"
    without = entry.model_copy(update={"hints": {}})
    categories.write_entry(without, path)
    assert analyze_heads.main(["demo", "--only-hints", "--out", str(path)]) == 0
    assert store.read_entry("demo", path) == entry
    assert "wakes" in capsys.readouterr().out


def test_hints_of_a_model_without_entry_or_of_other_weights_are_refused(entry, tmp_path, capsys):
    path = tmp_path / "head_categories.json"
    categories.write_entry(small_entry("gpt2"), path)
    assert analyze_heads.main(["demo", "--only-hints", "--out", str(path)]) == 2
    other = entry.model_copy(update={"revision": f"sha256:{'0' * 64}", "hints": {}})
    categories.write_entry(other, path)
    assert analyze_heads.main(["demo", "--only-hints", "--out", str(path)]) == 2
    assert store.read_entry("demo", path).hints == {}


@pytest.mark.skipif(not CATEGORIES.exists(), reason="data/head_categories.json is not there")
def test_the_shipped_hints_are_those_that_the_analysis_finds():
    shipped = categories.read_entry("demo")
    again = analysis.renewed(shipped, "demo")
    assert prompts_of(shipped) == prompts_of(again) != {}


def prompts_of(entry) -> dict[str, list[tuple[str, list[Head]]]]:
    return {
        key: [(hint.prompt, list(hint.woken)) for hint in hints.prompts]
        for key, hints in entry.hints.items()
    }
