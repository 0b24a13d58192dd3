"""Where nothing is to be found nothing is listed: random weights, and repeats taken away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from headroles.analysis.bridge import load_bridge
from headroles.analysis.measure import make_texts, measure_roles
from headroles.models import load_tokenizer
from headroles.paths import DEMO_MODEL
from headroles.roles import CLASSIC, ROLES, Prompts
from headroles.scoring import batch_activations, calibrate, role_weights, select_heads
from headroles.texts.probe_texts import ordinary_ids
from headroles.types import Sequences
from tests.families import CONTEXT

FAMILIES = ("gpt2", "gpt_neox", "llama", "qwen3", "bloom")
NAMED = ("induction", "duplicate_token", "previous_token")


def cut(texts: Sequences, longest: int) -> Sequences:
    """No longer than the tiny models read."""
    return Sequences(texts.token_ids[:, :longest], texts.lengths.clamp_max(longest))


@pytest.mark.parametrize("family", FAMILIES)
def test_random_weights_have_no_head_of_a_role(family: str, model_folders) -> None:
    folder = str(model_folders(family))
    probe = make_texts(load_tokenizer(folder), n=16, seed=0)
    probe = replace(
        probe,
        sentences=cut(probe.sentences, CONTEXT // 2),  # they are read twice over, too
        control=cut(probe.control, CONTEXT // 2),
        repeats=cut(probe.repeats, CONTEXT),
    )
    measured = measure_roles(load_bridge(folder), probe, seed=0)
    for key in NAMED:
        threshold = calibrate(measured[key]).value
        assert threshold >= CLASSIC
        assert select_heads(measured[key], threshold, cap=8) == [], key
        assert measured[key].mean.max() < threshold / 1.5, "not even near it"


def test_without_the_repeat_the_same_cells_name_no_head() -> None:
    """The later copy is replaced by other random tokens; the cells stay where they were."""
    tokenizer = load_tokenizer(str(DEMO_MODEL))
    rng = np.random.default_rng(0)
    ids = ordinary_ids(tokenizer)
    segment, other = rng.choice(ids, (2, 12, 20))  # rows of 20 different draws
    start = np.zeros((12, 1), dtype=int)
    repeated, broken = (
        torch.from_numpy(np.concatenate([start, segment, then], 1)) for then in (segment, other)
    )
    model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, attn_implementation="eager").eval()
    for key in ("induction", "duplicate_token"):
        weights = [role_weights(ROLES[key], Prompts.of_ids(repeated))]
        found = {}
        for name, texts in (("with", repeated), ("without", broken)):
            with torch.no_grad():
                layers = model(texts, output_attentions=True).attentions
            # [layer batch head] -> [layer head]
            scores = [batch_activations(layer, weights)[0] for layer in layers]
            found[name] = torch.stack(scores).mean(1)
        assert (found["with"] >= CLASSIC).any(), "the cue is there"
        assert not (found["without"] >= CLASSIC).any()
        assert found["without"].max() < 0.1
