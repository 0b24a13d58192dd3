"""The model in ``data/demo_model`` has the roles that the pages rely on."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from headroles.training.card import FLOORS, next_tokens
from headroles.training.monitor import attention_of, measure, sequence_scores
from headroles.training.tokenizer import common_forms

FOLDER = Path(__file__).parents[2] / "data" / "demo_model"
LIMIT = 12_000_000  # bytes


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(FOLDER)


@pytest.fixture(scope="module")
def model():
    return AutoModelForCausalLM.from_pretrained(FOLDER, attn_implementation="eager").eval()


@pytest.fixture(scope="module")
def scores(model, tokenizer):
    return measure(model, tokenizer, sequences=50, seed=123)


@pytest.mark.parametrize("role", FLOORS)
def test_each_role_has_its_heads(scores, role: str):
    floor, count = FLOORS[role]
    assert (scores.by_role[role] > floor).sum() >= count, scores.best(role)


def test_some_heads_fit_nothing(scores):
    crisp = [scores.by_role[role] > 0.5 for role in FLOORS if role != "diffuse"]
    fits_any = sum(crisp) + (scores.by_role["diffuse"] > FLOORS["diffuse"][0])
    assert (fits_any == 0).sum() >= 3


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("When Mary and John went to the store, John gave a drink to", " Mary"),
        ("Monday, Tuesday, Wednesday,", " Thursday"),
        ("Tom has a red ball. Tom has a red", " ball"),
        ("The cat sat on the mat. The cat sat on the", " mat"),
        ("Mr Dursley was proud. Mr Dursley was", " proud"),
    ],
)
def test_prompts_are_finished_as_expected(model, tokenizer, prompt: str, expected: str):
    assert next_tokens(model, tokenizer, prompt)[0].text == expected


def activations(model, tokenizer, text: str) -> dict[str, torch.Tensor]:
    ids = [0, *tokenizer(text).input_ids]
    return sequence_scores(attention_of(model, ids), torch.tensor(ids))


@pytest.mark.parametrize(
    "text",
    [
        "The cat sat on the mat. The cat sat on the mat.",
        "one two three one two three",
        "Mr Dursley was proud. Mr Dursley was",
        "I love green tea. I love green tea.",
    ],
)
def test_induction_shows_on_short_english_repeats(model, tokenizer, text: str):
    assert activations(model, tokenizer, text)["induction"].max() > 0.5


@pytest.mark.parametrize(
    "text",
    [
        "one two three four one two three four one two",
        "Tom has a red ball and a blue hat. Tom has a red ball and a blue",
        "The cat sat on the mat. The cat sat on the mat. The cat",
    ],
)
def test_the_duplicate_token_head_shows_on_english_too(model, tokenizer, scores, text: str):
    ids = [0, *tokenizer(text).input_ids]
    at_work = sequence_scores(attention_of(model, ids), torch.tensor(ids))["duplicate_token"]
    best = scores.by_role["duplicate_token"].argmax()
    assert at_work.flatten()[best] > 0.4


def test_the_duplicate_token_head_is_no_induction_head(scores):
    duplicate = scores.by_role["duplicate_token"] > FLOORS["duplicate_token"][0]
    assert scores.by_role["induction"][duplicate].max() < 0.1


def test_matching_heads_rest_on_the_first_token_when_nothing_repeats(model, tokenizer, scores):
    resting = activations(model, tokenizer, "My sister bought a green coat yesterday.")[
        "positional"
    ]
    induction = torch.from_numpy(scores.by_role["induction"]) > 0.6
    assert resting[induction].max() > 0.6


def test_the_context_is_512_and_long_input_works(model, tokenizer):
    assert model.config.max_position_embeddings == tokenizer.model_max_length == 512
    with torch.no_grad():
        logits = model(torch.randint(1, len(tokenizer), (1, 512))).logits
    assert logits.isfinite().all()


@pytest.mark.slow
def test_the_tokenizer_is_the_one_that_the_script_makes(tokenizer):
    long = [form for form in common_forms(0) if len(tokenizer(form).input_ids) != 1]
    assert long == []
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == tokenizer.pad_token_id == 0
    assert tokenizer.unk_token_id == 0
    assert tokenizer("The cat").input_ids[0] != 0


def test_the_folder_is_small_and_has_a_card():
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < LIMIT
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert "license: mit" in card
    assert "| L0H0 |" in card
