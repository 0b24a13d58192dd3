"""Train the bundled model from nothing.

    python -m scripts.train_demo_model --out data/demo_model

Runs on one CPU core in about half an hour. A run that was stopped goes on from its checkpoint; the
same seed on the same machine and number of threads gives the same model.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import lazy_loader
from tqdm import tqdm

from headroles import limits, models, training
from headroles.errors import HeadrolesError
from scripts import command_line

if TYPE_CHECKING:
    from headroles.training import HeadScores, Trainer

torch = lazy_loader.load("torch")  # which takes seconds: a mistake is told before

THREADS = limits.Range(1, 1_024)
EVERY = limits.Range(1, 1_000_000)
MINUTES = limits.Range(0, 100_000)


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("train_demo_model", __doc__)
    whole, new_folder = command_line.whole, command_line.new_folder
    parser.add_argument(
        "--out", type=new_folder, default=Path("data/demo_model"), help="result folder"
    )
    parser.add_argument(
        "--checkpoint", type=new_folder, default=Path("runs/demo_model"), help="checkpoint folder"
    )
    parser.add_argument(
        "--seed", type=whole(limits.SEED), default=0, help="fixes text, tokenizer and weights"
    )
    parser.add_argument("--threads", type=whole(THREADS), default=1, help="CPU threads")
    parser.add_argument("--every", type=whole(EVERY), default=100, help="steps between role scores")
    parser.add_argument(
        "--minutes",
        type=command_line.real(MINUTES),
        default=None,
        help="stop after so many minutes, with a checkpoint; the same command goes on from there",
    )
    parser.add_argument(
        "--export-only", action="store_true", help="write what the checkpoint has, without training"
    )
    parser.add_argument(
        "--held-out-only",
        action="store_true",
        help="write the passages that were not trained on, for the model in the folder",
    )
    return parser.parse_args(argv)


def describe(entry: dict[str, object], scores: HeadScores) -> str:
    """One line of the log: loss, and the best heads of every role."""
    best = (
        f"{role} " + " ".join(f"{head} {score:.2f}" for head, score in scores.best(role))
        for role in training.ROLES
    )
    return f"step {entry['step']}  loss {entry['loss']}  " + "  |  ".join(best)


def train(trainer: Trainer, *, every: int, minutes: float | None) -> bool:
    """Train with a bar and a line of scores every few steps; whether the end was reached."""
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    total = trainer.config.steps
    with tqdm(total=total, initial=trainer.step, unit="step", mininterval=5) as bar:

        def on_step(step: int, loss: float) -> None:
            bar.update()
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)

        def on_scores(entry: dict[str, object], scores: HeadScores) -> None:
            bar.write(describe(entry, scores))

        while trainer.step < total:
            if deadline is not None and time.monotonic() > deadline:
                bar.write(f"stopped at step {trainer.step} of {total}; run again to go on")
                return False
            until = min(total, trainer.step + every)
            trainer.run(until, every=every, on_step=on_step, on_scores=on_scores)
    return True


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Train, then write the model and its card."""
    options = parse_arguments(argv)
    torch.set_num_threads(options.threads)
    config = training.TrainingConfig(seed=options.seed)
    if options.held_out_only:
        training.write_held_out(options.out, models.load_tokenizer(str(options.out)), config)
        return command_line.DONE
    tokenizer = training.train_tokenizer(
        config.seed, vocab_size=config.vocab_size, context=config.context
    )
    trainer = training.Trainer(config, tokenizer, options.checkpoint)
    if options.export_only and not trainer.step:
        raise HeadrolesError(
            f"There is no checkpoint in {options.checkpoint}.",
            hint="Name its folder with --checkpoint, or train first.",
        )
    if not (options.export_only or train(trainer, every=options.every, minutes=options.minutes)):
        return command_line.DONE  # nobody asked for half a model in the place of a whole one
    with command_line.filling(options.out) as new:
        trainer.export(new)
        training.write_held_out(new, tokenizer, config)
        training.write_card(new, trainer.model, tokenizer, config)
    return command_line.DONE


if __name__ == "__main__":
    raise SystemExit(main())
