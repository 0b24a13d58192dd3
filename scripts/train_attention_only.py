"""Train the one- or two-layer attention-only model that is bundled for the Circuits page.

    python -m scripts.train_attention_only --layers 2

Takes a few minutes on one CPU core. A run that was stopped goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import lazy_loader

from headroles import limits, models, training
from headroles.paths import ROOT
from scripts import command_line
from scripts.train_demo_model import EVERY, MINUTES, THREADS, train

torch = lazy_loader.load("torch")  # which takes seconds: a mistake is told before


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("train_attention_only", __doc__)
    whole, new_folder = command_line.whole, command_line.new_folder
    parser.add_argument("--layers", type=int, choices=(1, 2), default=2, help="layers")
    parser.add_argument("--out", type=new_folder, help="result folder (default: in data/)")
    parser.add_argument(
        "--checkpoint", type=new_folder, help="checkpoint folder (default: in runs/)"
    )
    parser.add_argument(
        "--seed", type=whole(limits.SEED), default=0, help="fixes text, tokenizer and weights"
    )
    parser.add_argument("--threads", type=whole(THREADS), default=1, help="CPU threads")
    parser.add_argument("--every", type=whole(EVERY), default=200, help="steps between role scores")
    parser.add_argument(
        "--minutes", type=command_line.real(MINUTES), help="stop after so many minutes"
    )
    parser.add_argument(
        "--held-out-only",
        action="store_true",
        help="write the passages that were not trained on, for the model in the folder",
    )
    return parser.parse_args(argv)


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Train, then write the model and its card."""
    options = parse_arguments(argv)
    torch.set_num_threads(options.threads)
    config = training.attention_only_config(options.layers, options.seed)
    name = training.FOLDERS[options.layers]
    folder = options.out or ROOT / "data" / name
    if options.held_out_only:
        training.write_held_out(folder, models.load_tokenizer(str(folder)), config)
        return command_line.DONE
    tokenizer = training.train_tokenizer(
        config.seed, vocab_size=config.vocab_size, context=config.context
    )
    checkpoint = options.checkpoint or ROOT / "runs" / name
    trainer = training.Trainer(config, tokenizer, checkpoint, build=training.build_attention_only)
    if not train(trainer, every=options.every, minutes=options.minutes):
        return command_line.DONE  # nobody asked for half a model in the place of a whole one
    with command_line.filling(folder) as new:
        training.export_attention_only(trainer.model, tokenizer, config, new)
    return command_line.DONE


if __name__ == "__main__":
    raise SystemExit(main())
