"""Count how often a model's tokens occur, for the Circuits page.

    python -m scripts.count_tokens --model demo
    python -m scripts.count_tokens --model gpt2 --text words.txt --source "words.txt of ..."
    python -m scripts.count_tokens --model smollm2-135m-instruct --wordfreq en

Without --text the bundled models' own training text is generated and counted. Of a text file of
yours only the counts are stored, with the source that you name. --wordfreq needs no text: it takes
the word frequencies that the package wordfreq ships for a language.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

import lazy_loader

from headroles import errors, limits, models, store, texts, training
from headroles.paths import BUNDLED
from scripts import command_line
from scripts.command_line import MODEL

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

wordfreq = lazy_loader.load("wordfreq")  # one option needs it, and few have it

PASSAGES = 20_000
SOURCE = limits.Limit(500, "The source has {:,} characters", "Name it in a line.")
WORDS = 100_000_000
"""Of the text that word frequencies are turned into; rarer words do not occur in it."""
COMMON = 2e-6
"""Share of all tokens from which on a whole word is listed as one: rarer ones are often names,
abbreviations, or parts of words that somebody wrote apart."""
CAPITALIZED = 0.1
"""How much of a word is written with a capital letter: wordfreq counts both forms together."""


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("count_tokens", __doc__)
    text = command_line.text
    parser.add_argument(
        "--model", type=MODEL, default="demo", help="catalogue key, folder or Hub id"
    )
    parser.add_argument("--text", type=command_line.file, help="a UTF-8 text file to count instead")
    parser.add_argument(
        "--source", type=text(SOURCE), help="where that text is from; needed with --text"
    )
    parser.add_argument(
        "--wordfreq",
        type=text(SOURCE),
        metavar="LANGUAGE",
        help="count the words of the package wordfreq, e.g. en",
    )
    parser.add_argument(
        "--seed", type=command_line.whole(limits.SEED), default=1, help="of the generated text"
    )
    options = parser.parse_args(argv)
    if (options.text is None) != (options.source is None):
        parser.error("--text and --source go together: a count without a source is worth nothing")
    if options.text and options.wordfreq:
        parser.error("--text and --wordfreq are two sources: give one of them")
    key = models.catalogue_key(options.model)
    own_text = options.text is None and options.wordfreq is None
    if own_text and key not in BUNDLED:
        parser.error(
            f"'{options.model}' was not trained here: give a text with --text and --source, "
            "or a language with --wordfreq"
        )
    return options


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Count and store."""
    options = parse_arguments(argv)
    tokenizer = models.load_tokenizer(models.resolve_source(options.model))
    with errors.ours(_not_counted):
        tally, source = _counted(tokenizer, options)
    key = models.catalogue_key(options.model)
    with errors.ours(lambda error: errors.DiskError(key, OSError(str(error)))):
        print(store.write_frequencies(key, tally.counts, source=source, words=tally.words()))
    return command_line.DONE


def _not_counted(error: BaseException) -> errors.SourceError:
    return errors.SourceError(f"The counts cannot be made: {error}.")


class Tally:
    """How often each token occurs, and how often it is a whole word."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self.counts: Counter[int] = Counter()
        self._whole: Counter[int] = Counter()

    def add(self, ids: Sequence[int], times: int = 1) -> None:
        """Count one text, so many times."""
        pieces = texts.token_texts(self._tokenizer, ids)
        for token, text, after in zip(ids, pieces, [*pieces[1:], ""], strict=True):
            self.counts[token] += times
            if text[:1] == " " and text[1:].isalpha() and not after[:1].isalpha():
                self._whole[token] += times

    def words(self) -> list[int]:
        """The tokens that are a whole word, after a space, at least half of the time."""
        least = COMMON * self.counts.total()
        return [
            token
            for token, times in self._whole.items()
            if times >= least and 2 * times >= self.counts[token]
        ]


def _counted(tokenizer: PreTrainedTokenizerBase, options: argparse.Namespace) -> tuple[Tally, str]:
    """The tally, and where it is from, in words."""
    if options.wordfreq:
        return _of_words(tokenizer, options.wordfreq)
    if options.text:
        lines = texts.read_text(options.text, limit=limits.COUNTED).splitlines(keepends=True)
        return _of_texts(tokenizer, lines), options.source
    passages = [f"{text}\n\n" for text in training.StoryGrammar(options.seed).passages(PASSAGES)]
    source = (
        f"{PASSAGES:,} passages of the grammar that wrote the model's training text "
        f"(headroles/training/english.py, seed {options.seed})"
    )
    return _of_texts(tokenizer, passages), source


def _of_texts(tokenizer: PreTrainedTokenizerBase, lines: Sequence[str]) -> Tally:
    tally = Tally(tokenizer)
    for ids in tokenizer(lines, add_special_tokens=False, verbose=False)["input_ids"]:
        tally.add(ids)
    return tally


def _of_words(tokenizer: PreTrainedTokenizerBase, language: str) -> tuple[Tally, str]:
    """The tokens of a text of :data:`WORDS` words, each as often as wordfreq says.

    Raises:
        ImportError: if wordfreq is not installed.
        LookupError: if it knows no words of the language.
    """
    forms = [
        (text, count) for text, count in _written_words(_word_frequencies(language)) if count >= 1
    ]
    tally = Tally(tokenizer)
    encoded = tokenizer([text for text, _ in forms], add_special_tokens=False, verbose=False)[
        "input_ids"
    ]
    for ids, (_, count) in zip(encoded, forms, strict=True):
        tally.add(ids, count)
    source = (
        f"the word frequencies of wordfreq {version('wordfreq')} ({language}; data under "
        f"CC BY-SA 4.0), each word after a space, one in {1 / CAPITALIZED:.0f} of them with a "
        "capital letter, without punctuation"
    )
    return tally, source


def _word_frequencies(language: str) -> dict[str, float]:
    try:
        return wordfreq.get_frequency_dict(language)
    except ModuleNotFoundError as error:
        raise ImportError("--wordfreq needs the package: pip install wordfreq") from error


def _written_words(frequencies: dict[str, float]) -> Iterator[tuple[str, int]]:
    """(a word as it is written in a text, how often among :data:`WORDS`).

    A word with "00" stands for all numbers of that length, and is none that is written.

    >>> list(_written_words({"cat": 1e-6, "00": 1e-6}))
    [(' cat', 90), (' Cat', 10)]
    """
    for word, frequency in frequencies.items():
        if "00" not in word:
            capitalized = round(frequency * WORDS * CAPITALIZED)
            yield f" {word}", round(frequency * WORDS) - capitalized
            yield f" {word[:1].upper()}{word[1:]}", capitalized


if __name__ == "__main__":
    raise SystemExit(main())
