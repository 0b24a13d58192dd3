"""The held-out table on prompts whose answer is known."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForCausalLM

from headroles.roles import ROLES
from headroles.store import read_entry
from headroles.verdicts import score_prompt
from headroles.verdicts.evaluation import LENGTHS, activity_table, auc, heads_with_role
from headroles.verdicts.prompt import active_heads
from scripts.check_activity import written_prompts
from tests.families import CONTEXT, LAYOUTS, byte_level_tokenizer, family_config


@pytest.mark.parametrize(
    ("positives", "negatives", "area"),
    [
        ([0.9, 0.8], [0.1, 0.2], 1.0),
        ([0.1], [0.9], 0.0),
        ([0.5], [0.5], 0.5),  # a tie counts half
        ([0.9, 0.8], [0.1, 0.85], 0.75),  # three of four pairs in order
        ([], [0.5], None),
    ],
)
def test_auc_counts_pairs_in_order(positives, negatives, area):
    assert auc(positives, negatives) == (area if area is None else pytest.approx(area))


def planted(entry, length):
    """Previous-token heads look at the previous token, all others spread evenly."""
    even = torch.ones(length, length).tril() / torch.arange(1, length + 1).unsqueeze(1)
    previous = torch.diag(torch.ones(length - 1), -1)
    previous[0, 0] = 1.0
    attention = even.expand(entry.num_layers, entry.num_heads, length, length).clone()
    attention[heads_with_role(entry, ROLES["previous_token"])] = previous
    return score_prompt(attention, list(range(length)))


def test_planted_heads_are_told_apart_and_short_prompts_are_not_judged():
    entry = read_entry("demo")
    rows = activity_table(entry, [planted(entry, length) for length in (4, 8, 15, 30, 60)])
    by_band = {row.band: row for row in rows if row.role == "previous_token"}
    assert by_band[LENGTHS[0]].judged == 0
    assert by_band[LENGTHS[0]].auc is None
    for band in LENGTHS[1:]:
        assert by_band[band].judged == 1
        assert (by_band[band].auc, by_band[band].hits) == (1.0, 1.0)
        assert by_band[band].false_alarms == 0.0


@pytest.mark.parametrize("family", LAYOUTS)
def test_no_head_of_random_weights_repeats(family, tmp_path):
    """Narrow weights, as a fresh model has, over prompts that repeat: nothing to be found."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(family_config(family), attn_implementation="eager")
    tokens = byte_level_tokenizer()
    for prompt in written_prompts():
        ids = [0, *tokens(prompt).input_ids][:CONTEXT]
        with torch.no_grad():
            attention = torch.cat(model(torch.tensor([ids]), output_attentions=True).attentions)
        scores = score_prompt(attention, ids)
        for key in ("induction", "duplicate_token"):
            laid = scores.activations[key]
            active = active_heads(ROLES[key], laid, 0.4, num_tokens=len(ids))
            assert not active.any(), (key, prompt)


def test_the_written_prompts_fill_every_band():
    prompts = written_prompts()
    assert len(prompts) == len(set(prompts)) == 90
    assert "def add(a, b):\n    return a + b\n\ndef subtract" in "\n".join(prompts)
