"""Decompose the projections of a bundled attention-only model into trained components.

    python -m scripts.train_components --layers 2

Stochastic parameter decomposition (Bushnaq et al. 2025): headroles/training/components.py says what
is kept of it. Takes about an hour on one CPU core, and 0.9 GB. A run that was stopped goes on from
its checkpoint; the same seed on the same machine and number of threads gives the same components.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import lazy_loader
from tqdm import tqdm

from headroles import limits, models, training
from headroles.errors import HeadrolesError
from headroles.paths import COMPONENTS, ROOT
from scripts import command_line
from scripts.train_demo_model import EVERY, MINUTES, THREADS

if TYPE_CHECKING:
    from headroles.training.components import ComponentTrainer, Losses

torch = lazy_loader.load("torch")  # which takes seconds: a mistake is told before

MINIMALITY = limits.Range(0, 1)


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("train_components", __doc__)
    whole, new_folder = command_line.whole, command_line.new_folder
    parser.add_argument("--layers", type=int, choices=(1, 2), default=2, help="which model")
    parser.add_argument("--out", type=new_folder, help="result folder (default: data/components)")
    parser.add_argument(
        "--checkpoint", type=new_folder, help="checkpoint folder (default: in runs/)"
    )
    parser.add_argument(
        "--seed", type=whole(limits.SEED), default=0, help="fixes texts, masks and first vectors"
    )
    parser.add_argument("--steps", type=whole(EVERY), help="steps (default: by layers)")
    parser.add_argument(
        "--minimality",
        type=command_line.real(MINIMALITY),
        help="weight of the loss that keeps few components important (default: by layers)",
    )
    parser.add_argument("--threads", type=whole(THREADS), default=1, help="CPU threads")
    parser.add_argument("--every", type=whole(EVERY), default=200, help="steps between figures")
    parser.add_argument(
        "--minutes", type=command_line.real(MINUTES), help="stop after so many minutes"
    )
    parser.add_argument(
        "--export-only", action="store_true", help="write what the checkpoint has, without training"
    )
    return parser.parse_args(argv)


def train(trainer: ComponentTrainer, *, every: int, minutes: float | None) -> bool:
    """Train with a bar and a line of figures every few steps; whether the end was reached."""
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    total = trainer.config.steps
    with tqdm(total=total, initial=trainer.step, unit="step", mininterval=5) as bar:

        def on_step(step: int, losses: Losses) -> None:
            bar.update()
            bar.set_postfix(KL=f"{losses.reconstruction:.3f}", refresh=False)

        while trainer.step < total:
            if deadline is not None and time.monotonic() > deadline:
                bar.write(f"stopped at step {trainer.step} of {total}; run again to go on")
                return False
            trainer.run(min(total, trainer.step + every), every=every, on_step=on_step)
            if trainer.history:
                bar.write(describe(trainer.history[-1]))
    return True


def describe(entry: Mapping[str, float]) -> str:
    """One line of the log."""
    return (
        f"step {entry['step']}  KL {entry['reconstruction']:.4f}  importances "
        f"{entry['minimality']:.1f}  weights {entry['faithfulness']:.2e}"
    )


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Train, then write the components and their card."""
    options = parse_arguments(argv)
    torch.set_num_threads(options.threads)
    key = f"attn-only-{options.layers}l-tiny"
    loaded = models.load_model(key)
    config = training.component_config(
        options.layers, seed=options.seed, steps=options.steps, minimality=options.minimality
    )
    trainer = training.ComponentTrainer(
        loaded,
        config,
        training.component_batches(loaded.tokenizer, layers=options.layers, config=config),
        options.checkpoint or ROOT / "runs" / f"components_{options.layers}l",
    )
    if options.export_only and not trainer.step:
        raise HeadrolesError(
            f"There is no checkpoint in {trainer.folder}.",
            hint="Name its folder with --checkpoint, or train first.",
        )
    if not (options.export_only or train(trainer, every=options.every, minutes=options.minutes)):
        return command_line.DONE
    folder = options.out or COMPONENTS
    folder.mkdir(parents=True, exist_ok=True)
    training.export_components(trainer, folder)
    return command_line.DONE


if __name__ == "__main__":
    raise SystemExit(main())
