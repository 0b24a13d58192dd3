"""Any string survives the tokenizer, and common words are one token."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headroles.training.lexicon import split_words
from headroles.training.tokenizer import BOS_ID, END_OF_TEXT, common_forms, train_tokenizer

pytestmark = pytest.mark.slow

COMMON = split_words(
    "the cat sat on mat dog red ball store drink house water when then said went gave was happy "
    "king queen book school mother father day night one two three Monday Tuesday Mary John"
)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(0, passages=4000)


@given(text=st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_unicode_string_comes_back(tokenizer, text: str):
    ids = tokenizer(text).input_ids
    if END_OF_TEXT not in text:
        assert BOS_ID not in ids
    assert tokenizer.decode(ids) == text


@pytest.mark.parametrize("text", ["", " ", "日本語", "😀👩‍👩‍👧", "שלום", "\x00\n\t", "a  b", " ,"])
def test_awkward_strings_come_back(tokenizer, text: str):
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_common_words_are_single_tokens(tokenizer):
    assert [word for word in COMMON if len(tokenizer(f" {word}").input_ids) != 1] == []


def test_every_common_form_is_a_single_token(tokenizer):
    long = [form for form in common_forms(0) if len(tokenizer(form).input_ids) != 1]
    assert long == []


def test_special_tokens_and_no_added_bos(tokenizer):
    special = (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token, tokenizer.unk_token)
    assert special == (END_OF_TEXT,) * 4
    assert tokenizer.bos_token_id == BOS_ID == 0
    assert tokenizer.model_max_length == 512
    assert tokenizer("The cat").input_ids[0] != BOS_ID


def test_same_seed_gives_the_same_tokenizer():
    first, second = (train_tokenizer(1, vocab_size=600, passages=300, weight=2) for _ in range(2))
    assert first.backend_tokenizer.to_str() == second.backend_tokenizer.to_str()
