"""Why a model cannot be loaded, in a sentence, out of whatever a library raised.

A stranger's files make transformers, tokenizers and safetensors raise anything at all. What happens
often is recognised by what the files say, not by the library's words, which change; everything else
is told as it came.

>>> with ours(explained("my-model", "my-model", during=Step.WEIGHTS)):  # doctest: +SKIP
...     AutoModelForCausalLM.from_pretrained("my-model")
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from enum import Enum
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import CONFIG_MAPPING
from transformers.activations import ACT2FN
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from headroles.errors import (
    HeadrolesError,
    ModelRunError,
    ModelUnavailableError,
    UnsupportedModelError,
    ours,
)
from headroles.models.catalogue import folder_of, spoken_name
from headroles.paths import BUNDLED

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LONGEST = 160
"""Characters of a library's words that are repeated."""
_EXPLAINED = "headroles_key"
"""On a model its name, for the sentence; on a class's ``forward``, that it looks for that."""
_NO_MEMORY = re.compile(r"can't allocate memory|not enough memory|out of memory", re.IGNORECASE)
_MISTYPED = re.compile(r"Field '(\w+)' expected (.+?), got (\w+) \(value: (.*?)\)(?:;|$)", re.M)


class Step(Enum):
    """What was being done with a model's files."""

    CONFIG = "its config.json cannot be read"
    TOKENIZER = "its tokenizer cannot be read"
    WEIGHTS = "no model can be made of its files"
    TRIAL = "it fails on its first two tokens"


def explained(
    source: str, place: str | Path, *, during: Step
) -> Callable[[BaseException], HeadrolesError]:
    """What makes our error of a library's; for :func:`headroles.errors.ours`.

    Args:
        source: what was to be loaded, for its name.
        place: the folder with its files, or the Hub id of one in the Hub's cache.
        during: what was being done.
    """

    def explain(error: BaseException) -> HeadrolesError:
        folder = Path(place)
        said = _json(folder / "config.json")
        said = said if isinstance(said, dict) else {}
        if why := _unsupported(folder, said, during):
            return UnsupportedModelError(spoken_name(source), why=why[0], hint=why[1])
        why = _memory(error)
        if not why and during is Step.TOKENIZER:
            why = _of_tokenizer(folder)
        if not why and during is not Step.TOKENIZER:
            why = _mistyped(error) or next(_of_config(said), "")
        return unavailable(source, why or _told(error, during, place))

    return explain


def unavailable(source: str, why: str) -> ModelUnavailableError:
    """The error of a model whose files are not as they should be."""
    name = spoken_name(source)
    if name in BUNDLED:
        hint = (
            "Its files came with the project: bring them back (git restore data), or choose another"
        )
        return ModelUnavailableError(name, why=why, hint=f"{hint} model.")
    return ModelUnavailableError(name, why=why, is_folder=folder_of(source) is not None)


def line_of(error: BaseException) -> str:
    """A library's words in one short line, without its full stop."""
    lines = [line.strip() for line in str(error).split("\n") if line.strip()]
    place = -1 if isinstance(error, StrictDataclassError) else 0  # which begins with its own place
    line = lines[place].rstrip(".:") if lines else ""
    if isinstance(error, KeyError | AssertionError | StopIteration) or len(line) < 4:
        line = f"{type(error).__name__}: {line}" if line else type(error).__name__
    line = "".join(sign if sign.isprintable() else " " for sign in line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def explain_failures(model: PreTrainedModel, key: str) -> None:
    """Let every pass that the model itself breaks end in a sentence, whoever runs it.

    The class is changed and the model only marked: a function that the model kept of itself would
    run the original's weights in a copy, and keep its memory until the next collection of garbage.
    Models that are not marked run as before.
    """
    family = type(model)
    if not hasattr(family.forward, _EXPLAINED):
        family.forward = _explaining(family.forward)
    setattr(model, _EXPLAINED, key)


def _explaining(forward: Callable[..., object]) -> Callable[..., object]:
    @functools.wraps(forward)
    def explained_forward(model: PreTrainedModel, *args: object, **settings: object) -> object:
        key = getattr(model, _EXPLAINED, None)
        if key is None:
            return forward(model, *args, **settings)
        with ours(lambda error: ModelRunError(key, why=f"{line_of(error)}.")):
            return forward(model, *args, **settings)

    setattr(explained_forward, _EXPLAINED, True)
    return explained_forward


# ------------------------------------------------------------------ what happens often


def _unsupported(folder: Path, said: dict[str, object], during: Step) -> tuple[str, str] | None:
    """The reason and the way out, where no mistake in the files is to blame."""
    settings = (said, _json(folder / "tokenizer_config.json"))
    if any(isinstance(own, dict) and "auto_map" in own for own in settings):
        return "it needs code of its own (remote code), which this app does not run.", ""
    kind = said.get("model_type")
    if isinstance(kind, str) and kind not in CONFIG_MAPPING:
        return (
            f"transformers {version('transformers')} knows no architecture '{_short(kind)}'.",
            "A newer transformers may know it (pip install -U transformers). Otherwise choose "
            "another model.",
        )
    quantised = said.get("quantization_config")
    if quantised and during in (Step.WEIGHTS, Step.TRIAL):
        method = quantised.get("quant_method") if isinstance(quantised, dict) else None
        return (
            f"its weights are quantised ({_short(method or 'in an unknown way')}), in a form that "
            "is not read here.",
            "Take the same model in 16 or 32 bits, or as a GGUF file.",
        )
    return None


def _memory(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "One of its files is nested too deeply."
    short = isinstance(error, MemoryError) or _NO_MEMORY.search(str(error))
    return "There is not enough free memory for it." if short else ""


def _mistyped(error: BaseException) -> str:
    """What transformers' check of a configuration found to be of the wrong type."""
    found = _MISTYPED.search(str(error))
    if not found:
        return ""
    name, expected, got, value = found.groups()
    return (
        f"Its config.json says {name} = {_short(value)}, which is of the type {got} and should be "
        f"{_short(expected)}."
    )


def _of_config(said: dict[str, object]) -> Iterator[str]:
    """What is plainly wrong in a configuration; its text part is looked at as well."""
    if "model_type" not in said:
        yield "Its config.json does not say what kind of model it is (model_type)."
    for own in [said, *(part for part in said.values() if isinstance(part, dict))]:
        layers = own.get("num_hidden_layers", own.get("n_layer"))
        heads = own.get("num_attention_heads", own.get("n_head"))
        width = own.get("hidden_size", own.get("n_embd"))
        vocabulary, pad = own.get("vocab_size"), own.get("pad_token_id")
        for value, name in ((layers, "layers"), (heads, "attention heads"), (width, "width")):
            if _is_count(value) and value < 1:
                yield f"Its config.json says that it has {value} {name}."
        if _is_count(vocabulary) and vocabulary < 1:
            yield f"Its config.json says that it has a vocabulary of {vocabulary} tokens."
        if _is_count(vocabulary) and _is_count(pad) and not -vocabulary <= pad < vocabulary:
            yield (
                f"Its padding token has number {pad}, and its vocabulary is the numbers 0 to "
                f"{vocabulary - 1} (pad_token_id and vocab_size of config.json)."
            )
        if _is_count(width) and _is_count(heads) and not own.get("head_dim") and width % heads:
            yield f"Its width of {width} cannot be divided among {heads} attention heads."
        yield from _unknown_names(own)


def _unknown_names(own: dict[str, object]) -> Iterator[str]:
    """Functions and stretched positions that the installed transformers does not know."""
    for setting in ("hidden_act", "hidden_activation", "activation_function"):
        name = own.get(setting)
        if isinstance(name, str) and name not in ACT2FN:
            yield f"transformers {version('transformers')} knows no activation '{_short(name)}'."
    rope = own.get("rope_parameters") or own.get("rope_scaling")
    if isinstance(rope, dict):
        kind = rope.get("rope_type", rope.get("type", "default"))
        if isinstance(kind, str) and kind not in ("default", *ROPE_INIT_FUNCTIONS):
            yield (
                f"transformers {version('transformers')} knows no rotary positions of the kind "
                f"'{_short(kind)}'."
            )


def _of_tokenizer(folder: Path) -> str:
    """Why a tokenizer's files cannot be read."""
    file = folder / "tokenizer.json"
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        try:
            read = json.loads((folder / name).read_bytes())
        except OSError:
            continue
        except (ValueError, RecursionError) as error:
            return f"Its {name} is not a valid JSON file ({line_of(error)})."
        if not isinstance(read, dict):
            return f"Its {name} is no JSON object."
    if not file.is_file():
        return ""
    try:
        Tokenizer.from_file(str(file))
    except BaseException as error:  # a panic of the Rust library is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return (
            f"Its tokenizer.json cannot be read by tokenizers {version('tokenizers')} "
            f"({line_of(error)}). It is damaged, or was written by a newer version."
        )
    return ""


def _told(error: BaseException, during: Step, place: str | Path) -> str:
    """A library's own words, behind what was being done; of a folder only its name."""
    said = str(error)
    if isinstance(error, SafetensorError):
        return f"Its weights are damaged, or were cut off ({line_of(error)})."
    if during is Step.WEIGHTS and isinstance(error, RuntimeError) and "mismatch" in said:
        return "Its weights do not fit its config.json."
    line = line_of(error)
    if Path(place).is_absolute():
        line = line.replace(str(place), Path(place).name)
    return f"{during.value[0].upper()}{during.value[1:]} ({line})."


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _json(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _short(value: object) -> str:
    text = "".join(sign if sign.isprintable() else " " for sign in str(value))
    return text if len(text) <= 60 else f"{text[:59]}…"
