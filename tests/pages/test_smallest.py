"""The smallest models and prompts: every page says something sensible, in English."""

from __future__ import annotations

import re

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from headroles import paths
from headroles.paths import DEMO_MODEL, ROOT
from headroles.store import model_list
from headroles.ui.knockout_lab.state import SECTION_NAMES
from tests.chat_tokenizers import chat_tokenizer
from tests.pages.on_page import opened
from tests.test_counts_in_words import ONE_OF_MANY

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)
PAGES = [f"pages/{path.name}" for path in sorted((ROOT / "pages").glob("*.py"))]
TAG = re.compile(r"<[^>]*>")


@pytest.fixture
def smallest(tmp_path, monkeypatch) -> str:
    """A listed model of one layer with one head."""
    monkeypatch.setattr(paths, "CATEGORIES", tmp_path / "head_categories.json")
    torch.manual_seed(0)
    words = chat_tokenizer("<|endoftext|>", bos_token="<|endoftext|>")
    config = AutoConfig.for_model(
        "gpt2", vocab_size=len(words), n_embd=8, n_layer=1, n_head=1, n_positions=512,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "m")
    words.save_pretrained(tmp_path / "m")
    model_list.add({"key": "smallest", "folder": str(tmp_path / "m")})
    return "smallest"


def said(app) -> str:
    """All words of a page, without tags."""
    kinds = ("markdown", "caption", "info", "warning", "error", "success", "subheader")
    texts = [element.value for kind in kinds for element in getattr(app, kind)]
    texts += [TAG.sub(" ", element.proto.body) for element in app.get("html")]
    return "\n".join(texts)


@pytest.mark.parametrize(
    ("page", "prompt"),
    [
        *((page, "The") for page in PAGES),
        *((f"pages/{page}.py", "The " * 600) for page in ("your_prompt", "head_closeup")),
    ],
)
def test_every_page_of_the_smallest_model(smallest, page: str, prompt: str) -> None:
    app = opened(page, model=smallest, prompt=prompt)
    words = said(app)
    assert words
    assert not [line for line in words.splitlines() if ONE_OF_MANY.search(line)]
    assert not re.findall(r"\bnan\b|[-−]0%|\bNone of the 1\b", words)


@pytest.mark.parametrize("section", SECTION_NAMES)
def test_every_section_of_the_knock_out_lab(smallest, section: str) -> None:
    app = opened("pages/knockout_lab.py", model=smallest, prompt="The cat")
    app.segmented_control(key="knockout_lab-section").set_value(section).run()
    assert not app.exception
    assert not [line for line in said(app).splitlines() if ONE_OF_MANY.search(line)]
