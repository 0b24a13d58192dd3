"""The extended roles of a model: from texts and weights to the section of its entry.

Two passes over pairs of sentences and over random tokens give ``delimiter`` and ``fixed_offset``,
two over IOI prompts and their control ``s_inhibition`` and ``name_mover``, two over repeats and
random tokens ``copy_suppression``; ``successor`` needs one short pass and the weights. What cannot
be measured on a model is stored with the reason.

>>> section = measure_extended(bridge, tokenizer, probe, seed=0)  # doctest: +SKIP
>>> section.roles["name_mover"].top_heads[0].score  # doctest: +SKIP
3.1
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerBase

from headroles.analysis import ioi, sequences
from headroles.analysis.bridge import each_layer
from headroles.analysis.direct import Direct, HeadsInseparableError, Seen
from headroles.analysis.measure import ProbeTexts, Progress
from headroles.reference import MAX_CELLS
from headroles.roles import (
    EXTENDED_ROLES,
    EXTENDED_VERSION,
    LONGEST_OFFSET,
    ROLES,
    ExtendedRole,
    delimiter_cells,
)
from headroles.scoring import (
    batch_activations,
    cell_effects,
    cell_weights,
    extended_threshold,
    largest_is,
    mean_and_error,
    offset_shares,
    peaks,
    role_weights,
    select_extended,
    through_norm,
    write_effects,
)
from headroles.store import ExtendedScores, ExtendedSection, ExtendedTopHead, OffsetProfiles
from headroles.texts import encode, probe_texts, sentences, start_token, token_texts
from headroles.types import Sequences

PROMPTS = 64
"""IOI prompts."""
MOST_REPEATS = 32
"""Repeated sequences on which copy suppression is measured, at most."""
DRAWS = 4
"""Made-up orders a class of ordered words is compared with."""


@dataclass
class Found:
    """What one role's measurement gave."""

    scores: Float[Tensor, "n layer head"]
    """[n layer head] one number a text."""
    control: Float[Tensor, "m layer head"]
    """[m layer head] the same without the cue."""
    texts: str = ""
    """What was measured on, in a few words."""
    chance: float | None = None
    """0..1; None in logits."""
    details: dict[str, Float[Tensor, "layer head"]] = field(default_factory=dict)
    """{what: [layer head]} the factors of the score."""


@dataclass(frozen=True, eq=False)
class Setting:
    """What every measurement needs."""

    bridge: TransformerBridge
    tokenizer: PreTrainedTokenizerBase
    probe: ProbeTexts
    seed: int
    advance: Callable[[str, int], None]
    """Told the phase and how many texts were done."""

    @property
    def shape(self) -> tuple[int, int]:
        """Layers and heads."""
        return self.bridge.cfg.n_layers, self.bridge.cfg.n_heads

    def rng(self) -> np.random.Generator:
        """A source of randomness for one measurement: no other one changes its numbers."""
        return np.random.default_rng(self.seed)


def count_extended(probe: ProbeTexts) -> int:
    """How many texts the extended roles run, controls included."""
    return 2 * (len(sentences.SENTENCES) // 2 + PROMPTS + min(MOST_REPEATS, len(probe.repeats)))


def measure_extended(
    bridge: TransformerBridge,
    tokenizer: PreTrainedTokenizerBase,
    probe: ProbeTexts,
    *,
    seed: int,
    cap: int = 8,
    progress: Progress | None = None,
) -> ExtendedSection:
    """Measure every extended role.

    Args:
        bridge: the model.
        tokenizer: its tokenizer.
        probe: the texts of the basic roles; the repeats are used again.
        seed: draws prompts, random tokens and made-up orders.
        cap: most top heads a role.
        progress: told after every batch.
    """
    total = count_extended(probe)
    done = 0

    def advance(phase: str, count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(phase, done, total)

    setting = Setting(bridge, tokenizer, probe, seed, advance)
    roles = by_attention(setting, cap)
    try:
        direct = Direct(bridge)
        roles |= _section(setting, measure_ioi(setting, direct), cap)
        roles |= _section(setting, {"copy_suppression": measure_copies(setting, direct)}, cap)
        roles |= _section(setting, {"successor": measure_successor(setting, direct)}, cap)
    except HeadsInseparableError as error:
        roles |= {
            key: _not_measured(error.message, seed)
            for key, role in EXTENDED_ROLES.items()
            if not role.from_attention
        }
    return ExtendedSection(
        definitions_version=EXTENDED_VERSION, roles={key: roles[key] for key in EXTENDED_ROLES}
    )


# ------------------------------------------------------------------ by attention


def pairs_of_sentences(tokenizer: PreTrainedTokenizerBase, *, longest: int) -> Sequences:
    """Every two sentences as one text, so that a distance of 16 has rows and a full stop is seen
    from behind; each sentence is used once, and no text is longer than the model reads.
    """
    pairs = zip(sentences.SENTENCES[::2], sentences.SENTENCES[1::2], strict=True)
    return probe_texts.pack(
        [encode(tokenizer, f"{one} {other}", max_tokens=longest).token_ids for one, other in pairs]
    )


def by_attention(setting: Setting, cap: int) -> dict[str, ExtendedScores]:
    """``delimiter`` and ``fixed_offset``, on text and on random tokens, from the same cells."""
    natural = pairs_of_sentences(setting.tokenizer, longest=setting.bridge.cfg.n_ctx)
    ids = probe_texts.ordinary_ids(setting.tokenizer)
    control = probe_texts.random_like(natural, ids, rng=setting.rng())
    lengths = natural.lengths.tolist()
    rows = zip(natural.token_ids.tolist(), lengths, strict=True)
    marked = [token_texts(setting.tokenizer, row[:length]) for row, length in rows]
    on_text, on_random = (
        _attention_pass(setting, one, marked, phase)
        for one, phase in ((natural, "sentences"), (control, "random tokens"))
    )
    mark = Found(
        on_text.marks,
        on_random.marks,
        texts="pairs of sentences",
        chance=float(on_text.mark_chance.nanmean()),
    )
    found = _section(setting, {"delimiter": mark}, cap)
    found["fixed_offset"] = _offsets(setting, on_text, on_random, cap)
    return found


@dataclass(frozen=True, eq=False)
class _AttentionPass:
    marks: Float[Tensor, "n layer head"]
    mark_chance: Float[Tensor, " n"]
    offsets: Float[Tensor, "distance n layer head"]
    offset_chance: Float[Tensor, "distance n"]


def _attention_pass(
    setting: Setting, batch: Sequences, marked: Sequence[Sequence[str]], phase: str
) -> _AttentionPass:
    """One pass for both roles; ``marked`` are the text's tokens, also in the control."""
    n = len(batch)
    on_marks = torch.zeros(n, *setting.shape)
    mark_chance = torch.full((n,), torch.nan)
    offsets = torch.zeros(LONGEST_OFFSET, n, *setting.shape)
    offset_chance = torch.zeros(LONGEST_OFFSET, n)
    for rows in probe_texts.batches(batch, max_cells=MAX_CELLS):
        lengths = batch.lengths[rows]
        longest = int(lengths.max())
        cells = delimiter_cells([marked[row] for row in rows.tolist()], length=longest)
        laid = cell_weights(cells, lengths=lengths)
        mark_chance[rows] = laid.chance

        def on_layer(
            layer: int,
            pattern: Tensor,
            rows: Tensor = rows,
            lengths: Tensor = lengths,
            laid: object = laid,
        ) -> None:
            seen = pattern.float()
            on_marks[rows, layer] = batch_activations(seen, [laid])[0]
            shares, chances = offset_shares(seen, lengths, longest=LONGEST_OFFSET)
            offsets[:, rows, layer], offset_chance[:, rows] = shares, chances

        each_layer(setting.bridge, batch.token_ids[rows, :longest], on_layer)
        setting.advance(f"extended: {phase}", len(rows))
    return _AttentionPass(on_marks, mark_chance, offsets, offset_chance)


def _offsets(
    setting: Setting, on_text: _AttentionPass, on_random: _AttentionPass, cap: int
) -> ExtendedScores:
    chance = on_text.offset_chance.nanmean(-1)  # [distance]
    means, errors = zip(*(mean_and_error(one) for one in on_text.offsets), strict=True)
    randoms, random_errors = zip(*(mean_and_error(one) for one in on_random.offsets), strict=True)
    peak = peaks(torch.stack(means), chance)
    at_peak = (peak.distance - 1).unsqueeze(0)  # [1 layer head] place in the profile
    error, control, control_error = (
        torch.stack(one).gather(0, at_peak).squeeze(0) for one in (errors, randoms, random_errors)
    )
    return _scores(
        EXTENDED_ROLES["fixed_offset"],
        (peak.share, error),
        (control, control_error),
        n=on_text.offsets.shape[1],
        texts="pairs of sentences",
        chance=float(chance[1:].max()),
        seed=setting.seed,
        cap=cap,
        barred=peak.is_previous,
        profiles=OffsetProfiles(
            distances=list(range(1, LONGEST_OFFSET + 1)),
            chance=[_rounded(one) for one in chance.tolist()],
            scores=[_matrix(one) for one in means],
            standard_errors=[_matrix(one) for one in errors],
            control=[_matrix(one) for one in randoms],
            control_errors=[_matrix(one) for one in random_errors],
            peaks=peak.distance.tolist(),
            previous=peak.is_previous.int().tolist(),
        ),
    )


# ------------------------------------------------------------------ by what a head writes


def measure_ioi(setting: Setting, direct: Direct) -> dict[str, Found | str]:
    """``s_inhibition`` and ``name_mover`` on the same prompts."""
    prompts = ioi.ioi_prompts(setting.tokenizer, PROMPTS, rng=setting.rng())
    if isinstance(prompts, str):
        return dict.fromkeys(("s_inhibition", "name_mover"), prompts)
    real = _ioi_pass(setting, direct, prompts, prompts.prompts, written=prompts.subject)
    control = _ioi_pass(setting, direct, prompts, prompts.control, written=prompts.third)
    right = f"the model prefers the right name on {real.right:.0%} of {prompts.n} prompts"
    return {
        "s_inhibition": Found(
            real.at_s2, control.at_s2, texts=f"IOI prompts; {right}", details=real.of("S2")
        ),
        "name_mover": Found(
            real.at_io, control.at_io, texts=f"IOI prompts; {right}", details=real.of("IO")
        ),
    }


@dataclass(frozen=True, eq=False)
class _IoiPass:
    at_s2: Float[Tensor, "n layer head"]
    at_io: Float[Tensor, "n layer head"]
    attention: dict[str, Float[Tensor, "n layer head"]]
    right: float
    """0..1, the share of prompts where the indirect object beats the name at S2."""

    def of(self, place: str) -> dict[str, Float[Tensor, "layer head"]]:
        """The mean of each factor: where it looks, and what it would write at full attention."""
        shares = self.attention[place].mean(0)
        total = (self.at_s2 if place == "S2" else self.at_io).mean(0)
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
        effects["S2"] / at_end,
        effects["IO"] / at_end,
        attention,
        float((margin > 0).float().mean()),
    )


def _other_names(
    direct: Direct, names: Int[Tensor, " name"], of: Int[Tensor, " n"]
) -> Float[Tensor, "n model"]:
    """[n model] the mean unembedding of all names but one: what its logit competes with."""
    rows = direct.unembed.T[names]  # [name model]
    return (rows.sum(0) - direct.unembed.T[of]) / (len(names) - 1)


def measure_copies(setting: Setting, direct: Direct) -> Found:
    """``copy_suppression``: the attention of an induction head, times what is written there."""
    repeats = setting.probe.repeats
    kept = Sequences(repeats.token_ids[:MOST_REPEATS], repeats.lengths[:MOST_REPEATS])
    ids = probe_texts.ordinary_ids(setting.tokenizer)
    control = probe_texts.random_like(kept, ids, rng=setting.rng())
    reference = direct.unembed.mean(1)
    role, n = ROLES["induction"], len(kept)
    attention = torch.zeros(n, *setting.shape)

    def over(batch: Sequences) -> Float[Tensor, "n layer head"]:
        found = torch.zeros(n, *setting.shape)
        for rows in probe_texts.batches(batch, max_cells=MAX_CELLS):
            lengths = batch.lengths[rows]
            longest = int(lengths.max())
            laid = role_weights(role, kept.token_ids[rows, :longest], lengths=lengths)
            cells = laid.weights.nonzero()  # [cell 3]
            token_ids = batch.token_ids[rows, :longest]
            along = direct.directions(token_ids, reference)  # [batch key model]
            wrote = torch.zeros(*setting.shape, len(cells))

            def on_layer(
                layer: int,
                seen: Seen,
                rows: Tensor = rows,
                laid: object = laid,
                cells: Tensor = cells,
                along: Tensor = along,
                wrote: Tensor = wrote,
            ) -> None:
                effects = write_effects(seen.values, seen.output, seen.before(along))
                one = cell_effects(seen.pattern, effects, cells)  # [cell head]
                wrote[layer] = (one / _at(seen.post_scale, cells).unsqueeze(-1)).T
                if batch is kept:
                    attention[rows, layer] = batch_activations(seen.pattern, [laid])[0]

            # The final norm's scale is known only when the pass is over.
            scale, _ = direct.run(token_ids, on_layer)
            share = laid.weights[cells.unbind(-1)] / _at(scale, cells)
            per_row = torch.zeros(*setting.shape, len(rows))
            per_row.index_add_(-1, cells[:, 0], wrote * share)
            found[rows] = per_row.permute(2, 0, 1)
            setting.advance("extended: repeats", len(rows))
        return found

    scores = over(kept)
    details = {"attention on induction targets": attention.mean(0)}
    return Found(scores, over(control), texts="random repeated sequences", details=details)


def _at(
    scale: Float[Tensor, "batch query"] | float, cells: Int[Tensor, "cell 3"]
) -> Float[Tensor, " cell"]:
    """The scale of each cell's row."""
    return scale[cells[:, 0], cells[:, 1]] if isinstance(scale, Tensor) else torch.ones(len(cells))


def measure_successor(setting: Setting, direct: Direct) -> Found | str:
    """``successor``: is the successor's logit the largest of its class behind a head's OV circuit?

    A word's *effective embedding* is the residual stream after block 0 on "[start] word" (for the
    heads of layer 0 the embedding itself), as in Gould et al. 2023. Each item is one word.
    """
    classes = sequences.ordered_classes(setting.tokenizer)
    if not classes:
        return "Too few numbers, letters, days or months are single tokens of this model."
    rng = setting.rng()
    pairs = [(one, _made_up(setting, one, rng)) for one in classes]
    if any(not drawn for _, drawn in pairs):
        return "Too few ordinary words are single tokens of this model for the control."
    scores, copies, control, chance = [], [], [], []
    for ordered, made_up in pairs:
        logits = _ov_logits(setting, direct, ordered)  # [layer head item choice]
        scores.append(largest_is(logits, ordered.wanted).permute(2, 0, 1))
        copies.append(largest_is(logits, ordered.asked).permute(2, 0, 1))
        chance += [1 / len(ordered.ids)] * len(ordered.asked)
        control += [
            largest_is(_ov_logits(setting, direct, one), one.wanted).permute(2, 0, 1)
            for one in made_up
        ]
    names = ", ".join(f"{one.name} ({len(one.asked)})" for one in classes)
    return Found(
        torch.cat(scores),
        torch.cat(control),
        texts=names,
        chance=sum(chance) / len(chance),
        details={"share of words that it writes again": torch.cat(copies).mean(0)},
    )


def _made_up(
    setting: Setting, ordered: sequences.OrderedWords, rng: np.random.Generator
) -> list[sequences.OrderedWords]:
    drawn = [
        sequences.shuffled_class(setting.tokenizer, len(ordered.ids), rng=rng) for _ in range(DRAWS)
    ]
    return [one for one in drawn if one is not None]


def _ov_logits(
    setting: Setting, direct: Direct, words: sequences.OrderedWords
) -> Float[Tensor, "layer head item choice"]:
    """Every head's OV circuit from each asked word to the logits of its class, up to a scale."""
    start = start_token(setting.tokenizer).token_id
    asked = words.ids[words.asked]
    token_ids = torch.stack([torch.full_like(asked, start), asked], dim=1)
    before, after = effective_embeddings(setting.bridge, token_ids)
    choices = direct.unembed.T[words.ids]
    choices = through_norm(choices, direct.final.gain, centers=direct.final.centers)
    found = []
    for layer in range(setting.shape[0]):
        values = layer_values(setting.bridge, layer, before if layer == 0 else after)
        post = direct.posts[layer]
        along = through_norm(choices, post.gain, centers=post.centers) if post else choices
        wrote = write_effects(
            values.unsqueeze(1).expand(-1, len(along), -1, -1),
            direct.outputs[layer],
            along.expand(len(asked), -1, -1),
        )  # [item choice head]
        found.append(wrote.permute(2, 0, 1))
    return torch.stack(found)


def effective_embeddings(
    bridge: TransformerBridge, token_ids: Int[Tensor, "item two"]
) -> tuple[Float[Tensor, "item model"], Float[Tensor, "item model"]]:
    """The residual stream at the second token before and after block 0."""
    kept: dict[str, Tensor] = {}
    hooks = [
        (
            f"blocks.0.hook_resid_{place}",
            lambda value, hook, place=place: kept.__setitem__(place, value),
        )
        for place in ("pre", "post")
    ]
    with torch.inference_mode():
        bridge.run_with_hooks(
            token_ids, return_type=None, fwd_hooks=hooks, output_attentions=False, use_cache=False
        )
    return kept["pre"][:, 1].float(), kept["post"][:, 1].float()


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


# ------------------------------------------------------------------ the section


def _section(
    setting: Setting, found: dict[str, Found | str], cap: int
) -> dict[str, ExtendedScores]:
    """Means, errors, thresholds and lists of what was found; the reason where nothing was."""
    return {key: _measured(setting, key, one, cap) for key, one in found.items()}


def _measured(setting: Setting, key: str, found: Found | str, cap: int) -> ExtendedScores:
    if isinstance(found, str):
        return _not_measured(found, setting.seed)
    return _scores(
        EXTENDED_ROLES[key],
        mean_and_error(found.scores),
        mean_and_error(found.control),
        n=len(found.scores),
        texts=found.texts,
        chance=found.chance,
        seed=setting.seed,
        cap=cap,
        details={name: _matrix(one) for name, one in found.details.items()},
    )


def _scores(
    role: ExtendedRole,
    measured: tuple[Tensor, Tensor],
    without: tuple[Tensor, Tensor],
    *,
    n: int,
    texts: str,
    chance: float | None,
    seed: int,
    cap: int,
    barred: Tensor | None = None,
    **more: object,
) -> ExtendedScores:
    (mean, error), (control, control_error) = measured, without
    threshold, reason = extended_threshold(role, mean, chance=chance)
    listed = select_extended(
        role, mean, error, threshold=threshold, zero=chance or 0.0, barred=barred, cap=cap
    )
    return ExtendedScores(
        seed=seed,
        n=n,
        texts=texts,
        chance=None if chance is None else _rounded(chance),
        threshold=threshold,
        threshold_reason=reason,
        scores=_matrix(mean),
        standard_errors=_matrix(error),
        control=_matrix(control),
        control_errors=_matrix(control_error),
        top_heads=[
            ExtendedTopHead(
                layer=head.layer,
                head=head.head,
                score=_rounded(float(mean[head])),
                standard_error=_rounded(float(error[head])),
                control=_rounded(float(control[head])),
            )
            for head in listed
        ],
        **more,
    )


def _not_measured(reason: str, seed: int) -> ExtendedScores:
    return ExtendedScores(reason=reason, seed=seed)


def _matrix(values: Float[Tensor, "layer head"]) -> list[list[float]]:
    return [[_rounded(number) for number in row] for row in values.tolist()]


def _rounded(number: float) -> float:
    return round(number, 6) + 0.0  # no -0.0
