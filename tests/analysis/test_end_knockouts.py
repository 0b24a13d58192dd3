"""Knock-outs at the end of a prompt: by hand, and against transformers with hand-written hooks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from headroles.analysis import ioi, load_bridge, make_texts, s_inhibition, setting
from headroles.analysis.direct import Direct
from headroles.analysis.direct_effect_roles import measure_ioi
from headroles.analysis.last_position import LastPosition, NoLastPassError
from headroles.models import load_tokenizer
from headroles.paths import DEMO_MODEL
from headroles.scoring import calibrate
from headroles.types import Head, RoleScores, Sequences
from tests.families import LAYOUTS, save_family

OUTPUTS = {
    "gpt2": ("transformer.h.{}.attn.c_proj", 8),
    "bloom": ("transformer.h.{}.self_attention.dense", 8),
    "llama": ("model.layers.{}.self_attn.o_proj", 8),
    "gpt_neo": ("transformer.h.{}.attn.attention.out_proj", 8),
    "gpt_neox": ("gpt_neox.layers.{}.attention.dense", 16),
}
"""Where a family's heads come together, and the width of one."""


@pytest.fixture(scope="module")
def demo():
    tokenizer = load_tokenizer(str(DEMO_MODEL))
    bridge = load_bridge("demo")
    probe = make_texts(tokenizer, n=4, seed=3)
    return setting.Setting(bridge, tokenizer, probe, 3, lambda phase, count: None)


@pytest.fixture(scope="module")
def prompts(demo):
    return ioi.ioi_prompts(demo.tokenizer, 16, rng=np.random.default_rng(0))


def by_hooks(model, family: str, ids, head: Head | None, mean=None):
    """One prompt run whole: attention by layer, logits, and every head's output at the end."""
    name, width = OUTPUTS[family]
    seen, handles = {}, []

    def hook_of(layer: int):
        def hook(module, given):
            (stream,) = given
            seen[layer] = stream[0, -1].unflatten(-1, (-1, width)).clone()
            if head is not None and head.layer == layer:
                stream = stream.clone()
                stream[0, -1, head.head * width : (head.head + 1) * width] = mean
                return (stream,)
            return None

        return hook

    for layer in range(model.config.num_hidden_layers):
        module = model.get_submodule(name.format(layer))
        handles.append(module.register_forward_pre_hook(hook_of(layer)))
    with torch.inference_mode():
        output = model(ids[None], output_attentions=True)
    for handle in handles:
        handle.remove()
    return output.attentions, output.logits[0, -1], torch.stack(list(seen.values()))


# ------------------------------------------------------------------ by hand


def test_the_right_share_by_hand() -> None:
    """Two name movers: .8 on the right name of 1.2 on the names. A third where all get the same."""
    attention = torch.tensor([[0.5, 0.2, 0.1], [0.3, 0.1, 0.0]])
    assert s_inhibition.right_share(attention) == pytest.approx(0.8 / 1.2)
    assert s_inhibition.right_share(torch.full((1, 3), 0.2)) == pytest.approx(1 / 3)


def test_a_head_that_sends_the_name_movers_to_all_names_alike_does_not_score() -> None:
    """Attention on IO falls from .6 to .3 either way; only the second head kept them off S."""
    plain = torch.tensor([[0.6, 0.2, 0.1]])
    fewer_names, more_subject = torch.tensor([[0.3, 0.1, 0.05]]), torch.tensor([[0.3, 0.4, 0.2]])
    fall = [
        s_inhibition.right_share(plain) - s_inhibition.right_share(one)
        for one in (fewer_names, more_subject)
    ]
    assert fall[0] == pytest.approx(0, abs=1e-6)
    assert fall[1] == pytest.approx(6 / 9 - 3 / 9)


# ------------------------------------------------------------------ against whole passes


@pytest.mark.parametrize("family", LAYOUTS)
def test_the_end_without_a_head_equals_hand_written_hooks(family, tmp_path) -> None:
    save_family(family, tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager").eval()
    ids = torch.randint(5, 60, (3, 9), generator=torch.Generator().manual_seed(0))
    bridge = load_bridge(str(tmp_path))
    end = LastPosition(bridge, ids)
    outputs = torch.stack([by_hooks(model, family, row, None)[2] for row in ids])
    torch.testing.assert_close(end.outputs, outputs, atol=1e-5, rtol=1e-4)
    means = outputs.mean(0)
    for heads in ([Head(0, 1), Head(0, 3)], [Head(1, 2)]):
        seen = end.without(heads, means, watch=[1], to_end=True)
        logits = seen.hidden @ model.get_output_embeddings().weight.detach().T
        for place, head in enumerate(heads):
            for row in range(3):
                attention, whole, _ = by_hooks(model, family, ids[row], head, means[head])
                torch.testing.assert_close(
                    seen.patterns[1][place, row], attention[1][0, :, -1], atol=1e-5, rtol=1e-4
                )
                torch.testing.assert_close(logits[place, row], whole, atol=1e-4, rtol=1e-4)


def test_a_family_whose_passes_cannot_be_cut_is_refused(tmp_path) -> None:
    """Its window is shorter than the prompt, so the cache has let go of tokens."""
    save_family("mistral", tmp_path)
    bridge = load_bridge(str(tmp_path))
    end = LastPosition(bridge, torch.arange(5, 41).view(4, 9))
    with pytest.raises(NoLastPassError, match="other numbers"):
        end.check([0, 1], end.outputs.mean(0), watch=[1])


# ------------------------------------------------------------------ the two roles


def test_scores_of_the_bundled_model_equal_hand_written_hooks(demo, prompts) -> None:
    """The share of one head on every prompt; what one name mover's knock-out changes."""
    found = measure_ioi(demo, Direct(demo.bridge))
    movers = s_inhibition.name_movers(found["name_mover"])
    assert len(movers) > 1
    few = ioi.ioi_prompts(demo.tokenizer, 64, rng=demo.rng()).first(s_inhibition.PROMPTS)
    model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, attn_implementation="eager").eval()
    rows = range(few.n)

    def ids(batch: Sequences, row: int):
        return batch.token_ids[row, : batch.lengths[row]]

    control = [by_hooks(model, "gpt_neox", ids(few.control, row), None)[2] for row in rows]
    means = torch.stack(control).mean(0)

    def shares_and_names(head: Head | None):
        shares, names = [], []
        for row in rows:
            prompt = ids(few.prompts, row)
            mean = None if head is None else means[head]
            attention, logits, _ = by_hooks(model, "gpt_neox", prompt, head, mean)
            first, second = (prompt == few.subject[row]).nonzero().flatten().tolist()
            on = [
                sum(float(attention[m.layer][0, m.head, -1, at]) for m in movers)
                for at in (int(few.io_at[row]), first, second)
            ]
            shares.append(on[0] / sum(on))
            io = int(few.io[row])
            others = [int(name) for name in few.names if name != io]
            names.append(
                [
                    float(logits[io] - logits[others].mean()),
                    float(logits[io] - logits[few.subject[row]]),
                ]
            )
        return torch.tensor(shares), torch.tensor(names)

    share, names = shares_and_names(None)
    head, mover = Head(0, 7), movers[0]
    fall = share - shares_and_names(head)[0]
    role = found["s_inhibition"]
    assert float(role.mean[head]) == pytest.approx(float(fall.mean()), abs=1e-5)
    error = float(fall.std()) / few.n**0.5
    assert float(role.standard_error[head]) == pytest.approx(error, rel=1e-3)
    assert role.mean[movers[0].layer :].abs().max() == 0  # what comes later changes nothing
    change = shares_and_names(mover)[1] - names
    done = {name: float(values[mover]) for name, values in found["name_mover"].knock_out.items()}
    assert done["change"] == pytest.approx(float(change[:, 0].mean()), abs=1e-3)
    assert done["standard_error"] == pytest.approx(float(change[:, 0].std()) / few.n**0.5, rel=1e-2)
    assert done["lead_change"] == pytest.approx(float(change[:, 1].mean()), abs=1e-3)
    assert found["name_mover"].knock_out["change"][0, 0].isnan()


def test_a_heads_own_part_is_what_its_layer_no_longer_writes(demo, prompts) -> None:
    """The attention's output less that without the head, through the untouched final norm."""
    mover = Head(2, 1)
    means = s_inhibition.AtTheEnd(demo, prompts, prompts.control, [mover]).means
    own = s_inhibition.own_part(Direct(demo.bridge), prompts, [mover], means)[:, 0]
    model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, attn_implementation="eager").eval()
    norm, streams, written = model.gpt_neox.final_layer_norm, [], []
    norm.register_forward_pre_hook(lambda module, given: streams.append(given[0][0, -1]))
    dense = model.gpt_neox.layers[mover.layer].attention.dense
    dense.register_forward_hook(lambda module, given, output: written.append(output[0, -1]))
    gain, unembed = norm.weight.detach(), model.get_output_embeddings().weight.detach()
    for row in range(prompts.n):
        ids = prompts.prompts.token_ids[row, : prompts.prompts.lengths[row]]
        for head in (None, mover):
            by_hooks(model, "gpt_neox", ids, head, means[mover])
        missing = written[-2] - written[-1]
        scale = (streams[-2].var(unbiased=False) + norm.eps).sqrt()
        logits = unembed @ ((missing - missing.mean()) * gain / scale)
        io = prompts.io[row]
        expected = logits[io] - logits[prompts.names[prompts.names != io]].mean()
        assert float(own[row]) == pytest.approx(float(expected), abs=1e-4)
    assert float(own.abs().max()) > 0.05


def test_models_without_name_movers_or_heads_before_them_say_so(demo, prompts) -> None:
    direct, shape = Direct(demo.bridge), demo.shape

    def movers(place: Head | None) -> RoleScores:
        mean = torch.zeros(shape)
        if place is not None:
            mean[place] = 1.0
        return RoleScores("name_mover", mean, torch.full(shape, 0.01), None, 16)

    assert calibrate(movers(None)).value > 0
    reason, done = s_inhibition.measure_by_knockouts(demo, direct, prompts, movers(None))
    assert (reason, done) == (s_inhibition.NO_MOVERS, {})
    reason, done = s_inhibition.measure_by_knockouts(demo, direct, prompts, movers(Head(0, 2)))
    assert reason == s_inhibition.NOTHING_BEFORE
    assert not done["change"][0, 2].isnan()
    scores, _ = s_inhibition.measure_by_knockouts(demo, direct, prompts, movers(Head(2, 2)))
    assert scores.texts.startswith("IOI prompts; of the only name mover's attention")
    assert scores.mean[:2].abs().max() > 0
    assert scores.mean[2:].abs().max() == 0


def test_the_first_prompts_are_prompts_of_their_own(prompts) -> None:
    few = prompts.first(3)
    assert few.n == 3
    assert few.prompts.lengths.tolist() == prompts.prompts.lengths[:3].tolist()
    assert few.names is prompts.names
    for row in range(3):
        assert few.prompts.token_ids[row, few.s1_at[row]] == few.subject[row]
        assert few.s1_at[row] < few.s2_at[row]
    assert dataclasses.replace(few).n == 3
