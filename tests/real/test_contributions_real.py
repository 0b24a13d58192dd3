"""The answer of a real model taken apart: it sums, and late heads are worth what they cost."""

from __future__ import annotations

import pytest
import torch

from headroles import ablation, attribution
from headroles.models import LoadedModel
from headroles.texts import encode
from headroles.types import Head

pytestmark = pytest.mark.real

IOI = "When Mary and John went to the store, John gave a drink to"


@pytest.fixture(scope="module")
def ioi(real: LoadedModel):
    encoding = encode(real.tokenizer, IOI)
    seen = attribution.record(real, encoding)
    target = attribution.resolve_target(real, encoding, "Mary", "John", recording=seen)
    return encoding, seen, target, attribution.project(real, seen, target)


def test_the_parts_sum_to_the_logit(real: LoadedModel, ioi) -> None:
    encoding, seen, _, found = ioi
    with torch.no_grad():
        logits = real.model(torch.tensor([encoding.token_ids])).logits[0, -1]
    said = logits[found.target.token_id] - logits[found.target.against_id]
    assert found.total == pytest.approx(float(said), abs=1e-4)
    assert found.remainders == ()
    for word in ("Mary", "the", "Paris"):
        target = attribution.resolve_target(real, encoding, word, recording=seen)
        parts = attribution.project(real, seen, target)
        assert parts.error < 1e-5 * parts.size
        torch.testing.assert_close(parts.by_key.sum(-1), parts.heads, atol=1e-4, rtol=0)


def test_a_head_of_the_last_layer_costs_what_it_wrote(real: LoadedModel, ioi) -> None:
    encoding, _, target, found = ioi
    heads, last = found.heads.shape[1], real.num_layers - 1
    conditions = [
        ablation.Condition("zero", (ablation.HeadOutput((Head(last, head),)),))
        for head in range(heads)
    ]
    clean, *without = ablation.ablate(real, encoding, conditions, losses=False)

    def difference(outcome: ablation.Outcome) -> float:
        return float(outcome.logits[target.token_id] - outcome.logits[target.against_id])

    cost = torch.tensor([difference(clean) - difference(outcome) for outcome in without])
    together = torch.stack([found.heads[last], cost])
    assert float(together.corrcoef()[0, 1]) > 0.9


def test_the_head_that_decides_is_seen_beside_chance(real: LoadedModel, ioi) -> None:
    """L23H3 looks at John and writes against it; with other names it writes no such thing."""
    encoding, _, target, found = ioi
    head = Head(23, 3)
    assert float(found.heads[head]) == float(found.heads.max())
    places = [n for n, token in enumerate(encoding.tokens) if token == " John"]
    assert float(found.attention[head][places].sum()) > 0.6
    chance = attribution.chance(real, encoding, target)
    assert float(found.heads[head]) > float(chance.mean[head] + 3 * chance.spread[head])
