"""A small byte-level BPE whose merges are spent on whole common words.

Byte-level (as in GPT-2): the 256 bytes are the alphabet, so any Unicode string is encoded and
decoded without loss. ``<|endoftext|>`` has id 0 and serves as BOS, EOS, padding and unknown.
Encoding adds nothing by itself; whoever needs the BOS prepends id 0.

    python -c "from headroles.training.tokenizer import train_tokenizer; print(train_tokenizer(0))"
"""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from headroles.training.english import StoryGrammar
from headroles.training.lexicon import LEXICON, PAIRS

END_OF_TEXT = "<|endoftext|>"
BOS_ID = 0
WORD = re.compile(r" ?[A-Za-z]+| ?\d+")


def lexicon_words() -> set[str]:
    """Every single word of the lexicon, as it is written there."""
    entries = {word for words in LEXICON.values() for word in words}
    entries |= {word for pairs in PAIRS.values() for pair in pairs for word in pair}
    return {word for entry in entries for word in entry.split()}


def common_forms(seed: int, *, passages: int = 20_000, at_least: int = 12) -> list[str]:
    """The forms that ought to be one token, sorted.

    Every word of the lexicon after a space, every form (with its space and its capital) that the
    grammar writes at least ``at_least`` times, and the numbers to 100.
    """
    counts = collections.Counter(
        form
        for text in StoryGrammar(seed, invented_words=False).passages(passages)
        for form in WORD.findall(text)
    )
    forms = {form for form, count in counts.items() if count >= at_least}
    forms |= {f" {word}" for word in lexicon_words()}
    forms |= {f" {number}" for number in range(101)}
    return sorted(forms)


def _training_text(seed: int, passages: int, weight: int) -> Iterator[str]:
    """Passages, then every common form ``weight`` times over so that it earns its merge."""
    yield from StoryGrammar(seed, invented_words=False).passages(passages)
    for form in common_forms(seed):
        for _ in range(weight):
            yield form


def train_tokenizer(
    seed: int,
    *,
    vocab_size: int = 2816,
    passages: int = 20_000,
    weight: int = 60,
    context: int = 512,
) -> PreTrainedTokenizerFast:
    """Train the BPE on generated text. The same seed gives the same merges."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(_training_text(seed, passages, weight), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        unk_token=END_OF_TEXT,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
