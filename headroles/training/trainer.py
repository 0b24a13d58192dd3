"""Trains the bundled model: batches, phases, steps, checkpoints, and what is watched meanwhile.

The recipe has four phases. First nothing but ways of random tokens walked back and forth, from
which, with seed 0, both matching roles form; next plain repeats among them; then a blend of
English, repeats and other look-back tasks; last the same blend in longer rows while the rate
decays. The order matters: induction heads that form first, on plain repeats, do the duplicate-token
heads' work as well. The only loss is that of the next token: no head is told where to look.

Batch ``n`` is a function of the seed and ``n``, so a run that stops and resumes is the same run.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import (
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from headroles.errors import HeadrolesError, ours
from headroles.training.english import StoryGrammar
from headroles.training.lexicon import LEXICON
from headroles.training.monitor import ROLES, HeadScores, measure
from headroles.training.optimizer import build_optimizers
from headroles.training.tasks import (
    BOS_ID,
    Row,
    Tokens,
    any_task,
    plain_back_and_forth,
    plain_repeats,
    repeats,
)

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one kind of batch."""

    name: str
    steps: int
    row_length: int  # targets per row
    rows: int  # rows per batch
    english: float = 0.0  # share of rows
    repeats: float = 1.0  # share of rows; what is left goes to the other tasks
    plain: bool = False  # one plain kind of repeat and of task, for the first heads to form
    rate: tuple[float, float] = (1.0, 1.0)  # factor on the learning rates at its start and end


PHASES = (
    Phase("back and forth", 700, row_length=64, rows=32, repeats=0.0, plain=True),
    Phase("with repeats", 300, row_length=64, rows=32, repeats=0.4, plain=True),
    Phase("blend", 3700, row_length=128, rows=16, english=0.55, repeats=0.1),
    Phase("long", 1400, row_length=256, rows=8, english=0.6, repeats=0.1, rate=(1.0, 0.02)),
)


@dataclass(frozen=True)
class TrainingConfig:
    """Everything that fixes the result, together with the seed."""

    seed: int = 0
    layers: int = 4
    heads: int = 8
    width: int = 128
    vocab_size: int = 2816
    context: int = 512
    rotary_share: float = 0.5
    rotary_base: float = 1000.0
    passages: int = 120_000
    phases: tuple[Phase, ...] = PHASES
    warm_up: int = 50
    matrix_lr: float = 4e-3
    other_lr: float = 2e-3
    weight_decay: float = 0.1
    clip: float = 1.0
    half_precision: bool = True  # bfloat16 matrix products in training; weights stay float32

    @property
    def steps(self) -> int:
        """Steps of all phases together."""
        return sum(phase.steps for phase in self.phases)

    def phase_at(self, step: int) -> tuple[Phase, float]:
        """The phase that a step belongs to, and how far into it the step is (0 to 1)."""
        for phase in self.phases:
            if step < phase.steps:
                return phase, step / phase.steps
            step -= phase.steps
        raise ValueError(f"step {step} past the end of training: there are {self.steps} steps")

    def rate_at(self, step: int) -> float:
        """Factor on the learning rates: warm-up, then linear within the phase."""
        phase, progress = self.phase_at(step)
        start, end = phase.rate
        return min(1.0, (step + 1) / self.warm_up) * (start + (end - start) * progress)


def bundled_settings(config: TrainingConfig) -> GPTNeoXConfig:
    """How the bundled model is put together."""
    return GPTNeoXConfig(
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        hidden_size=config.width,
        intermediate_size=4 * config.width,
        vocab_size=config.vocab_size,
        max_position_embeddings=config.context,
        rope_parameters={
            "rope_type": "default",
            "rope_theta": config.rotary_base,
            "partial_rotary_factor": config.rotary_share,
        },
        use_parallel_residual=False,
        tie_word_embeddings=True,
        bos_token_id=BOS_ID,
        eos_token_id=BOS_ID,
        pad_token_id=BOS_ID,
    )


def build_model(config: TrainingConfig) -> GPTNeoXForCausalLM:
    """A freshly initialised GPT-NeoX with eager attention, the same for the same seed."""
    torch.manual_seed(config.seed)
    return GPTNeoXForCausalLM._from_config(bundled_settings(config), attn_implementation="eager")


def task_tokens(tokenizer: PreTrainedTokenizerFast, passages: list[list[int]]) -> Tokens:
    """The ids that tasks draw from: the whole vocabulary, the lexicon's words, the English."""
    lexicon = {word for words in LEXICON.values() for word in words if " " not in word}
    encoded = [tokenizer(f" {word}").input_ids for word in sorted(lexicon)]
    words = np.array([ids[0] for ids in encoded if len(ids) == 1])
    new, old = (tokenizer(text).input_ids[0] for text in (" new", " old"))
    return Tokens(len(tokenizer), words, (new, old), passages)


@dataclass
class Batches:
    """Batches by step number. English is generated and encoded once, at the start."""

    config: TrainingConfig
    tokenizer: PreTrainedTokenizerFast
    passages: list[list[int]] = field(init=False, repr=False)  # ids, each ends with a blank line

    def __post_init__(self) -> None:
        texts = StoryGrammar(self.config.seed).passages(self.config.passages)
        self.passages = self.tokenizer([text + "\n\n" for text in texts]).input_ids
        self._tokens = task_tokens(self.tokenizer, self.passages)

    def english(self, rng: np.random.Generator, length: int, tokens: Tokens) -> Row:
        """BOS and passages that follow one another, cut at the row's end."""
        ids = [BOS_ID]
        index = int(rng.integers(len(self.passages)))
        while len(ids) <= length:
            ids += self.passages[index % len(self.passages)]
            index += 1
        return Row(np.array(ids[: length + 1]), np.ones(length, np.float32))

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Ids ``[row, length + 1]`` and target weights ``[row, length]`` of one step."""
        phase, _ = self.config.phase_at(step)
        rng = np.random.default_rng([self.config.seed, step])
        rows = []
        for _ in range(phase.rows):
            draw = rng.random()
            if draw < phase.english:
                make = self.english
            elif draw < phase.english + phase.repeats:
                make = plain_repeats if phase.plain else repeats
            else:
                make = plain_back_and_forth if phase.plain else any_task
            rows.append(make(rng, phase.row_length, self._tokens))
        ids = torch.from_numpy(np.stack([row.ids for row in rows]))
        return ids, torch.from_numpy(np.stack([row.weights for row in rows]))


def next_token_loss(
    model: PreTrainedModel, ids: Tensor, weights: Tensor, *, half_precision: bool
) -> Tensor:
    """Weighted mean cross-entropy; logits are computed only where a target has weight.

    ``ids`` is [row, length + 1], ``weights`` is [row, length].
    """
    wanted = weights > 0
    with torch.autocast("cpu", torch.bfloat16, enabled=half_precision):
        hidden = model.base_model(ids[:, :-1]).last_hidden_state[wanted]  # [target, width]
        logits = model.get_output_embeddings()(hidden)  # [target, vocab]
    losses = functional.cross_entropy(logits.float(), ids[:, 1:][wanted], reduction="none")
    return (losses * weights[wanted]).sum() / weights[wanted].sum()


class Trainer:
    """A training run that can stop after any step and go on later."""

    def __init__(
        self,
        config: TrainingConfig,
        tokenizer: PreTrainedTokenizerFast,
        folder: Path,
        *,
        build: Callable[[TrainingConfig], PreTrainedModel] = build_model,
    ) -> None:
        """Resume from ``folder`` if it has a checkpoint, else begin."""
        self.config, self.tokenizer, self.folder = config, tokenizer, folder
        self.model = build(config)
        self.optimizers = build_optimizers(
            self.model,
            heads=config.heads,
            matrix_lr=config.matrix_lr,
            other_lr=config.other_lr,
            weight_decay=config.weight_decay,
        )
        self._base_rates = [[g["lr"] for g in o.param_groups] for o in self.optimizers]
        self.batches = Batches(config, tokenizer)
        self.step = 0
        self.history: list[dict[str, object]] = []
        self._losses: list[float] = []
        if (folder / CHECKPOINT).exists():
            self._load()

    def advance(self) -> float:
        """One optimiser step; gives the batch's loss."""
        factor = self.config.rate_at(self.step)
        for optimizer, rates in zip(self.optimizers, self._base_rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
        ids, weights = self.batches.batch(self.step)
        loss = next_token_loss(self.model, ids, weights, half_precision=self.config.half_precision)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self._losses.append(loss.item())
        return self._losses[-1]

    def run(
        self,
        until: int | None = None,
        *,
        every: int = 250,
        on_step: Callable[[int, float], None] | None = None,
        on_scores: Callable[[dict[str, object], HeadScores], None] | None = None,
    ) -> None:
        """Train to step ``until`` (default: the end), measuring and saving every few steps."""
        until = self.config.steps if until is None else until
        while self.step < until:
            loss = self.advance()
            if on_step:
                on_step(self.step, loss)
            if self.step % every == 0 or self.step == self.config.steps:
                scores = self._record()
                self.save()
                if on_scores:
                    on_scores(self.history[-1], scores)
        self.save()

    def _record(self) -> HeadScores:
        scores = measure(self.model, self.tokenizer, sequences=12, seed=1)
        mean = sum(self._losses) / max(1, len(self._losses))
        entry: dict[str, object] = {"step": self.step, "loss": round(mean, 4)}
        for role in ROLES:
            entry[role] = {head: round(score, 3) for head, score in scores.best(role)}
        self.history.append(entry)
        self._losses.clear()
        return scores

    def save(self) -> None:
        """Write the checkpoint in one move, so that a stop while writing loses nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        state = {
            "step": self.step,
            "seed": self.config.seed,
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "history": self.history,
            "losses": self._losses,
        }
        partial = self.folder / (CHECKPOINT + ".tmp")
        torch.save(state, partial)
        partial.replace(self.folder / CHECKPOINT)

    def _load(self) -> None:
        with ours(lambda _: self._unusable("is damaged, or of another kind of model")):
            state = torch.load(self.folder / CHECKPOINT, weights_only=True)
            if state["seed"] != self.config.seed:
                raise self._unusable(f"was made with seed {state['seed']}, not {self.config.seed}")
            self.model.load_state_dict(state["model"])
            for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(saved)
            self.step, self.history = state["step"], state["history"]
            self._losses = list(state["losses"])

    def _unusable(self, why: str) -> HeadrolesError:
        return HeadrolesError(
            f"The checkpoint in {self.folder} {why}.",
            hint="Choose another --checkpoint folder, or delete it.",
        )

    def export(self, folder: Path) -> None:
        """Write model, tokenizer and training log in Hugging Face format."""
        self.model.eval()
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        self.model.train()
        log = {"config": asdict(self.config), "steps": self.step, "history": self.history}
        (folder / "training_log.json").write_text(json.dumps(log, indent=1) + "\n")
