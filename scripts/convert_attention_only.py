"""Turn TransformerLens' attention-only weights into a folder that headroles loads.

    python -m scripts.convert_attention_only --weights model_final.pth \\
        --tokenizer NeelNanda/gpt-neox-tokenizer-digits --out attn-only-2l
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from headroles import models
from headroles.errors import HeadrolesError


def main(argv: Sequence[str] | None = None) -> int:
    """Convert, and say what was left out."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--weights", type=Path, required=True, help="the state dict, a .pth file")
    parser.add_argument("--tokenizer", required=True, help="folder or Hub id of its tokenizer")
    parser.add_argument("--out", type=Path, required=True, help="result folder")
    options = parser.parse_args(argv)
    try:
        # weights_only: a pickle could run any code.
        converted = models.convert(
            torch.load(options.weights, map_location="cpu", weights_only=True)
        )
        tokenizer = models.load_tokenizer(options.tokenizer)
    except (HeadrolesError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    converted.model.save_pretrained(options.out)
    tokenizer.save_pretrained(options.out)
    if converted.bias_left_out:
        print(
            f"The bias of the logits was left out (up to {converted.bias_left_out:.2f}): attention "
            "and circuits are exact, next-token guesses are not.",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
