"""Turn TransformerLens' attention-only weights into a folder that headroles loads.

    python -m scripts.convert_attention_only --weights model_final.pth \\
        --tokenizer NeelNanda/gpt-neox-tokenizer-digits --out attn-only-2l
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import lazy_loader

from headroles import errors, models
from scripts import command_line
from scripts.command_line import MODEL

if TYPE_CHECKING:
    from headroles.models.tl_to_gpt2 import Converted

torch = lazy_loader.load("torch")  # which takes seconds: a mistake is told before


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("convert_attention_only", __doc__)
    parser.add_argument(
        "--weights", type=command_line.file, required=True, help="the state dict, a .pth file"
    )
    parser.add_argument(
        "--tokenizer", type=MODEL, required=True, help="folder or Hub id of its tokenizer"
    )
    parser.add_argument("--out", type=command_line.new_folder, required=True, help="result folder")
    return parser.parse_args(argv)


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Convert, and say what was left out."""
    options = parse_arguments(argv)
    made = converted(options.weights)
    tokenizer = models.load_tokenizer(options.tokenizer)
    with command_line.filling(options.out) as folder:
        made.model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    if made.bias_left_out:
        print(
            f"The bias of the logits was left out (up to {made.bias_left_out:.2f}): attention "
            "and circuits are exact, next-token guesses are not.",
            file=sys.stderr,
        )
    return command_line.DONE


def converted(path: Path) -> Converted:
    """A file of weights as a model that can be saved.

    Raises:
        SourceError: if it holds no attention-only weights.
    """
    with errors.ours(lambda error: _no_checkpoint(path)):
        # weights_only: a pickle could run any code.
        return models.convert(torch.load(path, map_location="cpu", weights_only=True))


def _no_checkpoint(path: Path) -> errors.SourceError:
    return errors.SourceError(
        f"The file {path} holds no attention-only weights of TransformerLens.",
        hint="Give the .pth file of such a model, with blocks.0.attn.W_Q and so on.",
        value=str(path),
    )


if __name__ == "__main__":
    raise SystemExit(main())
