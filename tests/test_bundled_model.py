"""What the page promises about the bundled model, checked on the model itself."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from headroles import get_active_head_summary
from headroles.capture import capture
from headroles.models import load_model
from headroles.paths import ROOT
from headroles.roles import ROLES, SCORED_ROLES
from headroles.store import categories
from headroles.texts import DEFAULT_PROMPT
from headroles.verdicts import activity_table, score_run
from scripts.check_activity import HELD_OUT_SEED, held_out_prompts
from tests.promises import kept_and_broken

LISTED = tuple(role.key for role in SCORED_ROLES)
"""The bundled model has heads of every role; its card says so for each."""


@pytest.fixture(scope="module")
def loaded():
    return load_model("demo")


@pytest.fixture(scope="module")
def entry():
    return categories.read_entry("demo")


def active(loaded, prompt: str) -> dict[str, list[str]]:
    summary = get_active_head_summary(capture(loaded, prompt), "demo")
    return {
        key: [head["label"] for head in heads if head["is_active"]]
        for key, heads in summary.items()
    }


def test_the_listed_roles_are_those_that_this_file_says(entry):
    listed = {key for key, one in entry.categories.items() if one.top_heads} - {"other"}
    assert set(LISTED) <= listed


@pytest.mark.parametrize(
    ("role", "hint"), [(role.key, hint) for role in SCORED_ROLES for hint in role.story_hints]
)
def test_every_hint_wakes_a_head_of_its_role(loaded, role, hint):
    assert active(loaded, hint)[role], f"“{hint}” wakes no {ROLES[role].name} head"


def test_every_prompt_that_the_analysis_stored_wakes_the_heads_that_it_names(loaded, entry):
    kept, broken = kept_and_broken(loaded, entry)
    assert not broken
    assert {key for key, _, _ in kept} >= set(LISTED)


def test_the_first_prompt_shows_every_listed_role(loaded):
    awake = active(loaded, DEFAULT_PROMPT)
    assert all(awake[role] for role in LISTED)


def test_nothing_repeated_wakes_no_induction_head(loaded):
    assert active(loaded, "The old man walked slowly to his dog.")["induction"] == []


@pytest.mark.slow
def test_the_activity_table_on_standard_output_is_json_and_nothing_else():
    done = subprocess.run(
        [sys.executable, "-m", "scripts.check_activity", "--prompts", "5", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {row["role"] for row in json.loads(done.stdout)} == {role.key for role in SCORED_ROLES}


def test_three_tokens_are_too_short_to_tell(loaded):
    summary = get_active_head_summary(capture(loaded, "The cat"), "demo")
    states = {head["state"] for key, heads in summary.items() if key != "other" for head in heads}
    assert states <= {"too_short", "not_applicable"}


def test_the_verdict_tells_heads_of_a_role_from_the_others_on_unseen_prompts(loaded, entry):
    prompts = held_out_prompts(loaded, n=80, seed=HELD_OUT_SEED + 1)
    runs = [capture(loaded, prompt) for prompt in prompts]
    rows = activity_table(entry, [score_run(run) for run in runs])
    few = [score_run(run) for run in runs if len(run.token_ids) < 6]
    assert few
    assert not any(row.judged for row in activity_table(entry, few)), "a handful of tokens"
    for row in rows:
        if row.role in LISTED and row.judged >= 5:
            assert row.auc > 0.7, row
            assert row.false_alarms < 0.3, row
