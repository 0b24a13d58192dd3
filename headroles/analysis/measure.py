"""Scores of every head for every role, in one pass over each kind of probe text.

Each text kind serves the roles that are measured on it (:mod:`headroles.roles`): sentences and
their random-token control for the roles that need no repetition, repeats for those that do. Roles
with cells, and their null, cost one matrix product per layer
(:func:`headroles.scoring.activation.batch_activations`).

The *null* asks how well a head would do if the role predicted cells at random: for every row, as
many columns as S(q) has, drawn from the row's other columns. It keeps the prompt, the head and
the number of cells, and only breaks the link between them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerBase

from headroles.analysis.bridge import OnOutput, each_layer
from headroles.capture import head_outputs
from headroles.errors import AnalysisError, ours
from headroles.reference import MAX_CELLS
from headroles.roles import SCORED_ROLES, Prompts, Role, cells, resting
from headroles.scoring import (
    CellWeights,
    Visible,
    batch_activations,
    cell_weights,
    mean_and_error,
    mean_entropy,
    null_limit,
    once_per_sight,
    role_weights,
    unseen_layers,
)
from headroles.texts import probe_texts, start_token
from headroles.types import RoleScores, Sequences

Progress = Callable[[str, int, int], None]
"""Called as ``progress(phase, sequences done, sequences in all)``."""


@dataclass(frozen=True, eq=False)
class ProbeTexts:
    """The texts that one analysis runs."""

    sentences: Sequences
    control: Sequences
    """Random tokens, row by row as long as the sentences."""
    repeats: Sequences
    """Random tokens of every kind of :data:`headroles.texts.probe_texts.KINDS` in turn."""

    @property
    def twice(self) -> Sequences:
        """Sentences said twice: another kind of repeat."""
        return probe_texts.said_twice(self.sentences)


@dataclass(frozen=True, eq=False)
class _PerSequence:
    """What one text kind gave: per role, a score for every sequence and head."""

    scores: dict[str, Float[Tensor, "n layer head"]]
    null: dict[str, Float[Tensor, "n layer head"]]
    chance: dict[str, Float[Tensor, "n layer"]]
    factors: dict[str, dict[str, Float[Tensor, "n layer head"]]]
    """{role key: {what: factor}}: what resting needs beside the attention."""


def make_texts(tokenizer: PreTrainedTokenizerBase, *, n: int, seed: int) -> ProbeTexts:
    """Make the probe texts of a model; the same seed gives the same texts."""
    rng = np.random.default_rng(seed)
    ids = probe_texts.ordinary_ids(tokenizer)
    sentences = probe_texts.sentence_sequences(tokenizer)
    return ProbeTexts(
        sentences=sentences,
        control=probe_texts.random_like(sentences, ids, rng=rng),
        repeats=probe_texts.repeated_sequences(
            ids, n, start_id=start_token(tokenizer).token_id, rng=rng
        ),
    )


def count_basic(probe: ProbeTexts) -> int:
    """How many texts the basic roles run."""
    return sum(map(len, (probe.sentences, probe.control, probe.repeats, probe.twice)))


def measure_roles(
    bridge: TransformerBridge, probe: ProbeTexts, *, seed: int, progress: Progress | None = None
) -> dict[str, RoleScores]:
    """Score every head for every role.

    Args:
        bridge: the model.
        probe: texts from :func:`make_texts`.
        seed: draws the null's random cells.
        progress: told after every batch.

    Returns:
        ``{role key: RoleScores}`` with mean, standard error, chance, null, control, and the mean on
        each kind of repeat.
    """
    generator = torch.Generator().manual_seed(seed)
    on = {role.key: role.measured_on for role in SCORED_ROLES}
    by_text = {
        kind: [role for role in SCORED_ROLES if on[role.key] == kind] for kind in on.values()
    }
    total = count_basic(probe)
    done = 0

    def run(kind: str, sequences: Sequences, roles: list[Role]) -> _PerSequence:
        nonlocal done

        def advance(rows: int) -> None:
            nonlocal done
            done += rows
            if progress:
                progress(f"scoring {kind}", done, total)

        return _run(bridge, sequences, roles, generator, advance)

    natural = run("sentences", probe.sentences, by_text["sentences"])
    control = run("random tokens", probe.control, by_text["sentences"])
    repeats = run("repeats", probe.repeats, by_text["repeats"])
    twice = run("sentences said twice", probe.twice, by_text["repeats"])
    on_text = {"sentences": natural, "repeats": repeats}
    return {
        role.key: _role_scores(
            role,
            on_text[role.measured_on],
            control if role.control else None,
            twice if role.measured_on == "repeats" else None,
        )
        for role in SCORED_ROLES
    }


def _run(
    bridge: TransformerBridge,
    sequences: Sequences,
    roles: list[Role],
    generator: torch.Generator,
    advance: Callable[[int], None],
) -> _PerSequence:
    """One pass over one text kind: every role, and the null of every role with cells."""
    shape = (len(sequences), bridge.cfg.n_layers, bridge.cfg.n_heads)
    scores = {role.key: torch.zeros(shape) for role in roles}
    null = {role.key: torch.zeros(shape) for role in roles if role.has_cells}
    chance = {role.key: torch.ones(shape[:2]) for role in roles}
    change = output_change_of(bridge, len(sequences)) if resting.WITNESSED in scores else None
    with_cells = [role for role in roles if role.has_cells]
    for rows in probe_texts.batches(sequences, max_cells=MAX_CELLS):
        lengths = sequences.lengths[rows]
        token_ids = sequences.token_ids[rows, : int(lengths.max())]
        prompts = Prompts.of_ids(token_ids, lengths=lengths)
        drawn = _DrawnBySight(with_cells, prompts, generator)

        def on_layer(
            layer: int,
            pattern: Tensor,
            visible: Visible,
            rows: Tensor = rows,
            lengths: Tensor = lengths,
            drawn: _DrawnBySight = drawn,
        ) -> None:
            both = drawn.to(visible)
            both_scores = batch_activations(pattern.float(), both)  # [2 * roles batch head]
            for place, role in enumerate(with_cells):
                scores[role.key][rows, layer] = both_scores[place]
                null[role.key][rows, layer] = both_scores[place + len(with_cells)]
                chance[role.key][rows, layer] = both[place].chance
            for role in roles:
                if not role.has_cells:
                    scores[role.key][rows, layer] = mean_entropy(
                        pattern.float(), lengths=lengths, visible=visible
                    )

        each_layer(bridge, token_ids, on_layer, change and change.of(rows, lengths))
        advance(len(rows))
    factors = {resting.WITNESSED: {resting.OUTPUT_CHANGE: change.values}} if change else {}
    return _PerSequence(scores, null, chance, factors)


class _DrawnBySight:
    """The roles' cells, and as many random ones, once for each set of keys that a layer can see."""

    def __init__(self, roles: list[Role], prompts: Prompts, generator: torch.Generator) -> None:
        self._roles, self._prompts, self._generator = roles, prompts, generator
        self.to = once_per_sight(self._draw)

    def _draw(self, visible: Visible) -> list[CellWeights]:
        """[2 * roles] the predicted cells of every role, then the random ones."""
        predicted = [role_weights(role, self._prompts, visible) for role in self._roles]
        return predicted + [self._at_random(role, visible) for role in self._roles]

    def _at_random(self, role: Role, visible: Visible) -> CellWeights:
        targets = role.cells(self._prompts) & cells.within(self._prompts).unsqueeze(-1)
        return cell_weights(
            random_cells(role, targets, self._generator, visible),
            lengths=self._prompts.sequences.lengths,
            among=role.among(self._prompts) if role.among else None,
            visible=visible,
        )


class OutputChange:
    """How much every head's output changes from token to token: the second witness of resting."""

    def __init__(self, bridge: TransformerBridge, n: int) -> None:
        self._roots = [head_outputs.roots(block.attn.W_O.detach()) for block in bridge.blocks]
        self.values = torch.zeros(n, bridge.cfg.n_layers, bridge.cfg.n_heads)
        """[n layer head]."""

    def of(self, rows: Tensor, lengths: Tensor) -> OnOutput:
        """What takes the outputs of a batch."""

        def take(layer: int, z: Tensor) -> None:
            roots = self._roots[layer]
            z = z.reshape(len(rows), -1, len(roots), roots.shape[-1])
            self.values[rows, layer] = head_outputs.output_change(z, roots, lengths=lengths)

        return take


def output_change_of(bridge: TransformerBridge, n: int) -> OutputChange | None:
    """The same, or None for a model whose W_O cannot be read head by head: its resting heads are
    told by their attention alone."""
    try:
        with ours(lambda error: AnalysisError("The weights cannot be read head by head.")):
            return OutputChange(bridge, n)
    except AnalysisError:
        return None


def random_cells(
    role: Role,
    targets: Bool[Tensor, "batch query key"],
    generator: torch.Generator,
    visible: Visible = None,
) -> Bool[Tensor, "batch query key"]:
    """As many cells in every row as the role predicts, drawn from the row's other columns that a
    head can see.

    Column 0 takes part only for a role that predicts it: idle heads rest there, and the null should
    not be raised by what every head does anyway.
    """
    length = targets.shape[-1]
    seen = torch.ones(length, length, dtype=torch.bool).tril() if visible is None else visible
    targets = targets & seen
    open_cells = seen & ~targets
    if not bool(targets[..., 0].any()):
        open_cells[..., 0] = False
    draw = torch.rand(targets.shape, generator=generator).masked_fill(~open_cells, -1.0)
    rank = draw.argsort(-1, descending=True).argsort(-1)  # 0 is the row's first choice
    return (rank < targets.sum(-1, keepdim=True)) & open_cells


def _role_scores(
    role: Role, scored: _PerSequence, control: _PerSequence | None, twice: _PerSequence | None
) -> RoleScores:
    """Means over the sequences to which the role applies, with the standard error."""
    chance = scored.chance[role.key]  # [n layer]
    said = ~chance.isnan()  # a sequence without an applying row says nothing
    counted = said.any(-1)
    scores = _where(scored.scores[role.key], said)[counted]  # [n layer head]
    null = _where(scored.null[role.key], said)[counted] if role.has_cells else None
    unseen = unseen_layers(scores)
    return RoleScores(
        role=role.key,
        mean=_mean(scores),
        standard_error=_error(scores),
        chance=float(chance[said].mean()) if said.any() else 0.0,  # no head sees so far back
        n=scores.shape[0],
        unseen_layers=unseen,
        null=None if null is None else _mean(null),
        null_limit=None if null is None else null_limit(null),
        control=_mean(_of_control(role, control)) if control else None,
        control_name=role.control,
        control_error=_error(_of_control(role, control)) if control else None,
        by_kind=_by_kind(role, scored, twice) if twice else {},
        factors={name: values.mean(0) for name, values in scored.factors.get(role.key, {}).items()},
    )


def _where(
    values: Float[Tensor, "n layer head"], said: Bool[Tensor, "n layer"]
) -> Float[Tensor, "n layer head"]:
    """NaN where a text has no applying row that heads of the layer can see."""
    return values.masked_fill(~said.unsqueeze(-1), torch.nan)


def _of_control(role: Role, control: _PerSequence) -> Float[Tensor, "n layer head"]:
    return _where(control.scores[role.key], ~control.chance[role.key].isnan())


def _mean(scores: Float[Tensor, "n layer head"]) -> Float[Tensor, "layer head"]:
    """0 in a layer where no text has an applying row: it is among those without a score."""
    return scores.nanmean(0).nan_to_num(0.0)


def _by_kind(
    role: Role, repeats: _PerSequence, twice: _PerSequence
) -> dict[str, Float[Tensor, "layer head"]]:
    """{kind of repeat: mean}, of the kinds that have a text to which the role applies."""
    names = [kind.name for kind in probe_texts.KINDS]
    groups = {name: (repeats, place) for place, name in enumerate(names)}
    groups[probe_texts.SAID_TWICE] = (twice, 0)
    found = {}
    for name, (scored, place) in groups.items():
        step = len(names) if scored is repeats else 1
        said = ~scored.chance[role.key][place::step].isnan()  # [n layer]
        if said.any():
            found[name] = _mean(_where(scored.scores[role.key][place::step], said))
    return found


def _error(scores: Float[Tensor, "n layer head"]) -> Float[Tensor, "layer head"]:
    return mean_and_error(scores)[1]
