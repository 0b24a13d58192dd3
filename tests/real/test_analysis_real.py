"""The offline half on SmolLM2: a knock-out by hand, an analysis as the Admin page runs it."""

from __future__ import annotations

import copy
import time

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from headroles import admin, analysis, store
from headroles.admin.job_records import JobRequest
from headroles.analysis.knockout_passes import counted_positions, knocked_out, untouched
from headroles.models import LoadedModel
from headroles.paths import CATEGORIES
from headroles.texts import encode
from headroles.texts.probe_texts import pack
from headroles.types import Head

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore")]

CONDITIONS = [
    frozenset([Head(18, 6)]),
    frozenset([Head(0, 1)]),
    frozenset([Head(17, 3), Head(17, 4), Head(29, 8)]),
]


def test_a_knock_out_from_its_layer_on_equals_hooks_on_the_whole_model(
    real: LoadedModel, real_model: str
) -> None:
    # In double precision: single precision loses as much on thirty layers as the test allows, and
    # how much depends on the processor.
    bridge = analysis.load_bridge(real_model).double()
    model = copy.deepcopy(real.model).double()
    words = " blue chair seven river candle"
    rows = [
        list(encode(real.tokenizer, text).token_ids) for text in (words * 2, words + words[:12])
    ]
    texts = pack(rows)
    counted = counted_positions(texts, "repeats")
    means = untouched(bridge, texts, counted).means
    losses = knocked_out(bridge, texts, CONDITIONS, counted=counted, means=means)
    for place, condition in enumerate(CONDITIONS):
        for row, ids in enumerate(rows):
            by_hand = _losses(model, ids, condition, means)[counted[row, : len(ids) - 1]].mean()
            torch.testing.assert_close(losses[place, row], by_hand, atol=1e-6, rtol=1e-6)


def _losses(model: nn.Module, ids: list[int], condition: frozenset[Head], means) -> torch.Tensor:
    """[pos - 1] nats of transformers' own model with hooks before the output projections."""
    d_head, handles = means.shape[-1], []
    for head in condition:

        def replace(_module, given, head=head):
            z = given[0].clone()  # [batch pos head * d_head]
            z[0, 1:, head.head * d_head : (head.head + 1) * d_head] = means[head]
            return (z,)

        projection = model.model.layers[head.layer].self_attn.o_proj
        handles.append(projection.register_forward_pre_hook(replace))
    try:
        with torch.inference_mode():
            logits = model(torch.tensor([ids]), use_cache=False).logits[0].float()
    finally:
        for handle in handles:
            handle.remove()
    return cross_entropy(logits[:-1], torch.tensor(ids[1:]), reduction="none")


def test_the_shipped_evidence_says_what_the_roles_are_good_for(real_model: str) -> None:
    causal = store.read_entry(real_model, CATEGORIES).causal
    induction = causal["induction"]
    assert induction.can_read
    assert induction.group.verdict == "holds_up"
    assert induction.group.change > 5 > 1 > induction.group.control_mean  # nats per repeated token
    assert induction.of(18, 6).verdict == "holds_up"
    assert causal["duplicate_token"].group.verdict == "holds_up"
    assert abs(causal["positional"].group.change) < 0.05  # heads that rest do nothing on sentences


def test_the_shipped_evidence_on_previous_tokens_is_from_where_induction_reads_them(
    real_model: str,
) -> None:
    sentences, repeats = (
        store.read_entry(real_model, CATEGORIES).causal["previous_token"].everywhere
    )
    assert (sentences.measured_on, repeats.measured_on) == ("sentences", "repeats")
    assert sentences.of(16, 0).verdict != "holds_up"
    assert repeats.of(16, 0).verdict == "holds_up"
    assert repeats.of(16, 0).change > 3  # nats


def test_the_job_of_the_admin_page_analyses_it_from_start_to_end(real_model: str, tmp_path) -> None:
    jobs = admin.Jobs(tmp_path / "jobs")
    try:
        request = JobRequest(model=real_model, sequences=4, causal=False, extended=False)
        job = jobs.submit(request, who="a test")
        until = time.monotonic() + 500
        while (seen := jobs.watch(job.id)).job.is_open and time.monotonic() < until:
            time.sleep(0.5)
        assert seen.job.state == "done", seen
        entry = jobs.candidate(job.id)
    finally:
        jobs.close()
    best = entry.categories["previous_token"].top_heads[0]
    assert (best.layer, best.head) == (16, 0)
    assert (entry.num_layers, entry.num_heads) == (30, 9)
    assert entry.revision == store.read_entry(real_model, CATEGORIES).revision
