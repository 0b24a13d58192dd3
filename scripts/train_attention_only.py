"""Train the one- or two-layer attention-only model that is bundled for the Circuits page.

    python -m scripts.train_attention_only --layers 2

Takes a few minutes on one CPU core. A run that was stopped goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast

from headroles.paths import ROOT
from headroles.training import (
    FOLDERS,
    Trainer,
    attention_only_config,
    build_attention_only,
    export_attention_only,
    train_tokenizer,
    write_held_out,
)
from scripts.train_demo_model import train


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--layers", type=int, choices=sorted(FOLDERS), default=2, help="layers")
    parser.add_argument("--out", type=Path, help="result folder (default: in data/)")
    parser.add_argument("--checkpoint", type=Path, help="checkpoint folder (default: in runs/)")
    parser.add_argument("--seed", type=int, default=0, help="fixes text, tokenizer and weights")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--every", type=int, default=200, help="steps between role scores")
    parser.add_argument("--minutes", type=float, help="stop after so many minutes")
    parser.add_argument(
        "--held-out-only",
        action="store_true",
        help="write the passages that were not trained on, for the model in the folder",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Train, then write the model and its card."""
    options = parse_arguments(argv)
    torch.set_num_threads(options.threads)
    config = attention_only_config(options.layers, options.seed)
    name = FOLDERS[options.layers]
    folder = options.out or ROOT / "data" / name
    if options.held_out_only:
        write_held_out(folder, PreTrainedTokenizerFast.from_pretrained(folder), config)
        return 0
    tokenizer = train_tokenizer(config.seed, vocab_size=config.vocab_size, context=config.context)
    checkpoint = options.checkpoint or ROOT / "runs" / name
    trainer = Trainer(config, tokenizer, checkpoint, build=build_attention_only)
    train(trainer, every=options.every, minutes=options.minutes)
    export_attention_only(trainer.model, tokenizer, config, folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
