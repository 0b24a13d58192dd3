"""The extended roles that are measured by what a head writes.

Two passes over IOI prompts and their control give ``name_mover``, and then knock-outs
``s_inhibition`` (:mod:`headroles.analysis.s_inhibition`); two over repeats and random tokens give
``copy_suppression``; ``successor`` needs one short pass and the weights.
Where a model cannot be measured, a sentence says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from headroles.analysis import ioi, sequences
from headroles.analysis.bridge import run_hooked
from headroles.analysis.direct import Direct, Seen
from headroles.analysis.s_inhibition import measure_by_knockouts
from headroles.analysis.setting import Setting, scores_over_texts
from headroles.reference import MAX_CELLS
from headroles.roles import ROLES, Prompts
from headroles.scoring import (
    CellWeights,
    Visible,
    batch_activations,
    cell_effects,
    cell_weights,
    largest_is,
    through_norm,
    write_effects,
)
from headroles.texts import probe_texts
from headroles.types import RoleScores, Sequences

PROMPTS = 64
"""IOI prompts."""
MOST_REPEATS = 32
"""Repeated sequences on which copy suppression is measured, at most."""
DRAWS = 4
"""Made-up orders that each class of ordered words is compared with."""


def measure_ioi(setting: Setting, direct: Direct) -> dict[str, RoleScores | str]:
    """``s_inhibition`` and ``name_mover`` on the same prompts."""
    prompts = ioi.ioi_prompts(setting.tokenizer, PROMPTS, rng=setting.rng())
    if isinstance(prompts, str):
        return dict.fromkeys(("s_inhibition", "name_mover"), prompts)
    real = _ioi_pass(setting, direct, prompts, prompts.prompts, written=prompts.subject)
    control = _ioi_pass(setting, direct, prompts, prompts.control, written=prompts.third)
    movers = scores_over_texts(
        "name_mover",
        real.effects["IO"],
        control.effects["IO"],
        texts="IOI prompts; the model prefers the right name on "
        f"{real.right:.0%} of {prompts.n} prompts{direct.on_what}",
        factors=real.of("IO"),
    )
    inhibition, knock_outs = measure_by_knockouts(setting, direct, prompts, movers)
    if not isinstance(inhibition, str):
        written = {"direct effect on S": real.effects["S2"].mean(0)}
        inhibition = replace(inhibition, factors={**inhibition.factors, **written})
    return {"s_inhibition": inhibition, "name_mover": replace(movers, knock_out=knock_outs)}


@dataclass(frozen=True, eq=False)
class _IoiPass:
    effects: dict[str, Float[Tensor, "n layer head"]]
    """{``S2`` or ``IO``: attention from the end, times what is written there of the name}."""
    attention: dict[str, Float[Tensor, "n layer head"]]
    right: float
    """0..1, the share of prompts where the indirect object beats the name at S2."""

    def of(self, place: str) -> dict[str, Float[Tensor, "layer head"]]:
        """The mean of each factor: where it looks, and what it would write at full attention."""
        shares = self.attention[place].mean(0)
        total = self.effects[place].mean(0)
        # The mean of a product over the mean of a factor: weighted by where the head looks.
        return {
            f"attention from the end to {place}": shares,
            "direct effect at full attention": total / shares.clamp_min(1e-6),
        }


def _ioi_pass(
    setting: Setting,
    direct: Direct,
    prompts: ioi.IoiPrompts,
    batch: Sequences,
    *,
    written: Int[Tensor, " n"],
) -> _IoiPass:
    """Attention from the end to S2 and IO, times what is written there of the name that is there.

    Args:
        setting, direct: the model.
        prompts: names and places.
        batch: the prompts or their control.
        written: [n] the name that stands at S2.
    """
    n, (layers, heads) = prompts.n, setting.shape
    row, end = torch.arange(n), batch.lengths - 1
    places = {"S2": (prompts.s2_at, written), "IO": (prompts.io_at, prompts.io)}
    along = {
        key: direct.directions(name, _other_names(direct, prompts.names, name))
        for key, (_, name) in places.items()
    }
    effects = {key: torch.zeros(n, layers, heads) for key in places}
    attention = {key: torch.zeros(n, layers, heads) for key in places}

    def on_layer(layer: int, seen: Seen) -> None:
        post = seen.post_scale[row, end] if isinstance(seen.post_scale, Tensor) else torch.ones(n)
        for key, (place, _) in places.items():
            share = seen.pattern[row, :, end, place]  # [n head]
            wrote = write_effects(seen.values[row, place], seen.output, seen.before(along[key]))
            attention[key][:, layer] = share
            effects[key][:, layer] = share * wrote / post.unsqueeze(-1)

    scale, after = direct.run(batch.token_ids, on_layer)
    at_end = scale[row, end].view(-1, 1, 1)
    last = after[row, end]  # [n model]
    margin = (last * (direct.unembed.T[prompts.io] - direct.unembed.T[written])).sum(-1)
    setting.advance("extended: IOI prompts", n)
    return _IoiPass(
        {place: effect / at_end for place, effect in effects.items()},
        attention,
        float((margin > 0).float().mean()),
    )


def _other_names(
    direct: Direct, names: Int[Tensor, " name"], of: Int[Tensor, " n"]
) -> Float[Tensor, "n model"]:
    """[n model] the mean unembedding of all names but one: what its logit competes with."""
    rows = direct.unembed.T[names]  # [name model]
    return (rows.sum(0) - direct.unembed.T[of]) / (len(names) - 1)


def measure_copies(setting: Setting, direct: Direct) -> RoleScores:
    """``copy_suppression``: the attention of an induction head, times what is written there."""
    repeats = setting.probe.repeats
    kept = Sequences(repeats.token_ids[:MOST_REPEATS], repeats.lengths[:MOST_REPEATS])
    ids = probe_texts.ordinary_ids(setting.tokenizer)
    control = probe_texts.random_like(kept, ids, rng=setting.rng())
    scores, attention = _copies_pass(setting, direct, kept, like=kept)
    without, _ = _copies_pass(setting, direct, control, like=kept)
    return scores_over_texts(
        "copy_suppression",
        scores,
        without,
        texts=f"random repeated sequences{direct.on_what}",
        factors={"attention on induction targets": attention.nanmean(0).nan_to_num(0.0)},
    )


def _copies_pass(
    setting: Setting, direct: Direct, batch: Sequences, *, like: Sequences
) -> tuple[Float[Tensor, "n layer head"], Float[Tensor, "n layer head"]]:
    """Attention on the induction targets of ``like``, with and without what is written there; NaN
    where a layer sees none of a text's."""
    n, reference = len(batch), direct.unembed.mean(1)
    scores, attention = torch.zeros(n, *setting.shape), torch.zeros(n, *setting.shape)
    for rows in probe_texts.batches(batch, max_cells=MAX_CELLS):
        some = Prompts(like).some(rows)
        token_ids = batch.token_ids[rows, : some.sequences.token_ids.shape[-1]]
        along = direct.directions(token_ids, reference)  # [batch key model]
        known: dict[int, tuple[Visible, CellWeights, Tensor]] = {}  # what layers see, and cells
        wrote: list[tuple[CellWeights, Tensor, Tensor]] = []  # [layer] cells, [cell head] effects

        def on_layer(
            layer: int,
            seen: Seen,
            some: Prompts = some,
            rows: Tensor = rows,
            along: Tensor = along,
            known: dict[int, tuple[Visible, CellWeights, Tensor]] = known,
            wrote: list[tuple[CellWeights, Tensor, Tensor]] = wrote,
        ) -> None:
            if id(seen.visible) not in known:
                known[id(seen.visible)] = seen.visible, *_copies(some, seen.visible)
            _, targets, cells = known[id(seen.visible)]
            effects = write_effects(seen.values, seen.output, seen.before(along))
            at_cells = cell_effects(seen.pattern, effects, cells)  # [cell head]
            at_cells = at_cells / _at(seen.post_scale, cells).unsqueeze(-1)
            wrote.append((targets, cells, at_cells))
            looked = batch_activations(seen.pattern, [targets])[0]  # [batch head]
            attention[rows, layer] = _where_seen(looked, targets)

        # The final norm's scale is known only when the pass is over.
        scale, _ = direct.run(token_ids, on_layer)
        for layer, (targets, cells, at_cells) in enumerate(wrote):
            share = targets.weights[cells.unbind(-1)] / _at(scale, cells)  # [cell]
            per_row = torch.zeros(len(rows), setting.shape[1])
            per_row.index_add_(0, cells[:, 0], at_cells * share.unsqueeze(-1))
            scores[rows, layer] = _where_seen(per_row, targets)
        setting.advance("extended: repeats", len(rows))
    return scores, attention


def _copies(some: Prompts, visible: Visible) -> tuple[CellWeights, Int[Tensor, "cell 3"]]:
    """The induction targets in sight; all of the attention counts here, as every effect is weighted
    by it."""
    targets = cell_weights(
        ROLES["induction"].cells(some), lengths=some.sequences.lengths, visible=visible
    )
    return targets, targets.weights.nonzero()


def _where_seen(
    values: Float[Tensor, "batch head"], targets: CellWeights
) -> Float[Tensor, "batch head"]:
    return values.masked_fill((targets.rows == 0).unsqueeze(-1), torch.nan)


def _at(
    scale: Float[Tensor, "batch query"] | float, cells: Int[Tensor, "cell 3"]
) -> Float[Tensor, " cell"]:
    """The scale of each cell's row."""
    return scale[cells[:, 0], cells[:, 1]] if isinstance(scale, Tensor) else torch.ones(len(cells))


def measure_successor(setting: Setting, direct: Direct) -> RoleScores | str:
    """``successor``: is the successor's logit the largest of its class behind a head's OV circuit?

    A word's *effective embedding* is the residual stream after block 0 on the word alone, which can
    look at nothing but itself (for the heads of layer 0 the embedding itself), as in Gould et al.
    2023 and as :mod:`headroles.circuits.effective` has it. Each item is one word.
    """
    classes = sequences.ordered_classes(setting.tokenizer)
    if not classes:
        return "Too few numbers, letters, days or months are single tokens of this model."
    rng = setting.rng()
    pairs = [(ordered, _made_up(setting, ordered, rng)) for ordered in classes]
    if any(not drawn for _, drawn in pairs):
        return "Too few ordinary words are single tokens of this model for the control."
    scores, copies, control, chance = [], [], [], []
    for ordered, made_up in pairs:
        logits = _ov_logits(setting, direct, ordered)  # [layer head item choice]
        scores.append(largest_is(logits, ordered.wanted).permute(2, 0, 1))
        copies.append(largest_is(logits, ordered.asked).permute(2, 0, 1))
        chance += [1 / len(ordered.ids)] * len(ordered.asked)
        control += [
            largest_is(_ov_logits(setting, direct, order), order.wanted).permute(2, 0, 1)
            for order in made_up
        ]
    names = ", ".join(f"{words.name} ({len(words.asked)})" for words in classes)
    return scores_over_texts(
        "successor",
        torch.cat(scores),
        torch.cat(control),
        texts=names,
        chance=sum(chance) / len(chance),
        factors={"share of words that it writes again": torch.cat(copies).mean(0)},
    )


def _made_up(
    setting: Setting, ordered: sequences.OrderedWords, rng: np.random.Generator
) -> list[sequences.OrderedWords]:
    drawn = [
        sequences.shuffled_class(setting.tokenizer, len(ordered.ids), rng=rng) for _ in range(DRAWS)
    ]
    return [order for order in drawn if order is not None]


def _ov_logits(
    setting: Setting, direct: Direct, words: sequences.OrderedWords
) -> Float[Tensor, "layer head item choice"]:
    """Every head's OV circuit from each asked word to the logits of its class, up to a scale."""
    asked = words.ids[words.asked]
    before, after = effective_embeddings(setting.bridge, asked)
    choices = direct.unembed.T[words.ids]
    choices = through_norm(choices, direct.final.gain, centers=direct.final.centers)
    logits = []
    for layer in range(setting.shape[0]):
        values = layer_values(setting.bridge, layer, before if layer == 0 else after)
        post = direct.posts[layer]
        along = through_norm(choices, post.gain, centers=post.centers) if post else choices
        wrote = write_effects(
            values.unsqueeze(1).expand(-1, len(along), -1, -1),
            direct.outputs[layer],
            along.expand(len(asked), -1, -1),
        )  # [item choice head]
        logits.append(wrote.permute(2, 0, 1))
    return torch.stack(logits)


def effective_embeddings(
    bridge: TransformerBridge, token_ids: Int[Tensor, " item"]
) -> tuple[Float[Tensor, "item model"], Float[Tensor, "item model"]]:
    """The residual stream of each token alone, without a position, before and after block 0."""
    kept: dict[str, Tensor] = {}

    def keep(place: str) -> Callable[..., None]:
        return lambda value, hook: kept.__setitem__(place, value)

    hooks = [(f"blocks.0.hook_resid_{place}", keep(place)) for place in ("pre", "post")]
    if "hook_pos_embed" in bridge.hook_dict:  # learned positions stay out
        hooks.append(("hook_pos_embed", lambda value, hook: torch.zeros_like(value)))
    run_hooked(bridge, token_ids.unsqueeze(1), hooks)
    return kept["pre"][:, 0].float(), kept["post"][:, 0].float()


def layer_values(
    bridge: TransformerBridge, layer: int, residual: Float[Tensor, "item model"]
) -> Float[Tensor, "item kv width"]:
    """What the layer's value heads would read from a residual stream: ``norm(x) W_V + b_V``."""
    block = bridge.blocks[layer]
    norm = getattr(block, "ln1", None)
    with torch.inference_mode():
        seen = residual if norm is None else norm(residual.unsqueeze(1)).squeeze(1)
        values = torch.einsum("im,gmw->igw", seen.float(), block.attn.W_V.float())
        bias = _value_bias(block.attn)
        return values if bias is None else values + bias.float()


def _value_bias(attention: object) -> Float[Tensor, "kv width"] | None:
    try:
        return attention.b_V
    except AttributeError:  # a family without one
        return None
