"""A model that is not known, not here, too large, or cannot be read."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from headroles.errors.base import HeadrolesError, near_match
from headroles.formatting import size


class UnknownModelError(HeadrolesError):
    """Neither a model of the catalogue, nor a folder or GGUF file, nor a reachable Hub id."""

    def __init__(self, name: str, *, known: Collection[str]) -> None:
        super().__init__(
            f"There is no model called '{name}'.{near_match(name, known)}",
            hint=f"Choose one of {', '.join(known)}, or give the path of a saved model's folder or "
            "of a GGUF file.",
            value=name,
        )


class ModelUnavailableError(HeadrolesError):
    """The model exists in principle, but its files cannot be read from here."""

    def __init__(self, name: str, *, why: str, is_folder: bool = False, hint: str = "") -> None:
        self.why = why
        if is_folder:
            hint = (
                "Check that the folder is complete. It needs config.json, model.safetensors and "
                "tokenizer.json, as save_pretrained writes them."
            )
        network = "Check the internet connection, or choose the bundled model, which needs none."
        message = f"The model '{name}' could not be loaded: {why}"
        super().__init__(message, hint=hint or network, value=name)


class ServerBusyError(HeadrolesError):
    """Every model that fits into memory is in use."""

    def __init__(self, names: Iterable[str]) -> None:
        names = list(names)
        super().__init__(
            f"There is no room for another model; in use: {', '.join(names)}.",
            hint="Try again in a moment, or choose one of those.",
            value=names,
        )


class UnsupportedModelError(HeadrolesError):
    """A model whose attention cannot be captured exactly."""

    def __init__(self, name: str, *, why: str, hint: str = "") -> None:
        super().__init__(
            f"The model '{name}' cannot be used here: {why}",
            hint=hint or "Choose another model, for example a GPT-2, Pythia, OPT, Llama or Qwen 3.",
            value=name,
        )


class ModelRunError(HeadrolesError):
    """A model that was loaded and fails while it runs."""

    def __init__(self, name: str, *, why: str) -> None:
        super().__init__(
            f"The model '{name}' fails while it runs: {why}",
            hint="Try a shorter prompt or other settings; if it stays so, choose another model.",
            value=name,
        )


class ModelListError(HeadrolesError):
    """The instructor's list of models is not what it should be."""

    def __init__(self, path: object, *, why: str) -> None:
        self.why = why
        super().__init__(
            f"The list of models in {path} cannot be used: {why}",
            hint="Correct the file, or undo its last change on the Admin page or with "
            "'python -m scripts.models_list undo'.",
            value=str(path),
        )


class ModelNotListedError(HeadrolesError):
    """A change that the list of models cannot take."""

    def __init__(self, model: str, *, why: str) -> None:
        super().__init__(
            f"The list of models cannot take this: {why}",
            hint="Nothing was changed.",
            value=model,
        )


class ModelNameError(HeadrolesError):
    """A name from a browser that is neither of the catalogue nor a Hub id."""

    def __init__(self, name: str, *, known: Iterable[str], is_folder: bool = False) -> None:
        known = list(known)
        shown = name if len(name) <= 80 else f"{name[:80]}…"
        super().__init__(
            f"There is a folder '{shown}' on the server, but this page cannot read folders."
            if is_folder
            else f"There is no model called '{shown}'.{near_match(shown, known)}",
            hint=f"Choose one of {', '.join(known)}, or type owner/name as on huggingface.co, "
            "for example EleutherAI/pythia-160m.",
            value=name,
        )


class HubAnswerError(HeadrolesError):
    """A model that the Hugging Face Hub does not know, or will not give to this server."""


class SourceError(HeadrolesError):
    """A file or package of weights that cannot be had, or not be read."""


class TooLargeError(HeadrolesError):
    """A model that needs more of something than the server has."""

    def __init__(self, name: str, *, what: str, needs: int, available: int) -> None:
        super().__init__(
            f"The analysis of '{name}' needs about {size(needs)} of {what}, and "
            f"{size(available)} are free.",
            hint="Choose a smaller model"
            + (" or fewer sequences" if what == "memory" else "")
            + f", or run python -m scripts.analyze_heads --model {name} on a larger machine.",
            value=needs,
        )


class NoRoomError(HeadrolesError):
    """A model whose weights do not fit into the memory that is free."""

    def __init__(self, name: str, *, needs: int, available: int, shortened: bool) -> None:
        even = ", even in 16-bit numbers" if shortened else ""
        super().__init__(
            f"The model '{name}' needs about {size(needs)} of memory{even}, and "
            f"{size(available)} are free.",
            hint="Choose a smaller model, try again when fewer people are using other models, or "
            "run the app on a larger machine.",
            value=needs,
        )


class NotANumberError(HeadrolesError):
    """A model that computes NaN or infinity: its weights are damaged, or a number overflowed."""

    def __init__(self, name: str, *, where: str) -> None:
        super().__init__(
            f"The model '{name}' is damaged: it computes values that are not numbers (NaN or "
            f"infinity), first in {where}.",
            hint="Download it again, or choose another model. If it runs in 16 bits, values may be "
            "too large for them: HEADROLES_PRECISION=float32 runs it in 32.",
            value=where,
        )
