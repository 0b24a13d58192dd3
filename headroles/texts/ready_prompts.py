"""Ready prompts for knock-outs, each with the token that should come next.

Most of them can only be continued by looking back at one or two tokens (bigrams, fixed phrases),
at a pattern (sequences, code), or at an earlier copy (repetition, names). The *simple* ones are
written in the words of the bundled model's stories; a page offers first what a model gets right.

>>> len(READY) >= 40, READY[0].kind
(True, 'Bigrams')
"""

from __future__ import annotations

from typing import NamedTuple


class ReadyPrompt(NamedTuple):
    """One prompt."""

    kind: str
    """The group that it belongs to."""
    prompt: str
    """The text, without the answer."""
    answer: str
    """What should come next, with its leading space where it has one."""


KINDS = (
    "Bigrams",
    "Fixed phrases",
    "Sequences",
    "Code",
    "Repetition",
    "Indirect object (IOI)",
    "Days and numbers",
    "Names and values",
    "Simple stories",
)
"""The groups, in the order of a list."""

_BY_KIND: dict[str, tuple[tuple[str, str], ...]] = {
    "Bigrams": (
        ("She moved from New York to Los", " Angeles"),
        ("The capital of Argentina is Buenos", " Aires"),
        ("The prime minister of the United", " Kingdom"),
        ("They flew from Hong", " Kong"),
        ("The detective was called Sherlock", " Holmes"),
        ("He drank a glass of orange", " juice"),
    ),
    "Fixed phrases": (
        ("As a matter of", " fact"),
        ("Ladies and", " gentlemen"),
        ("Once upon a", " time"),
        ("Last but not", " least"),
        ("Better late than", " never"),
        ("To be or not to", " be"),
        ("Peace and", " quiet"),
    ),
    "Sequences": (
        ("A B C D E F", " G"),
        ("1, 2, 3, 4, 5,", " 6"),
        ("2 4 6 8", " 10"),
        ("first, second, third,", " fourth"),
        ("a b c a b c a b", " c"),
        ("10, 9, 8, 7,", " 6"),
    ),
    "Code": (
        ("for i in range(10", "):"),
        ("import numpy as", " np"),
        ("import pandas as", " pd"),
        ("def add(a, b):\n    return a +", " b"),
        ('if __name__ == "__main__', '":'),
        ("<html><body></body></", "html"),
    ),
    "Repetition": (
        ("The cat sat on the mat. The cat sat on the mat. The cat", " sat"),
        ("red blue green red blue green red blue", " green"),
        ("Mrs Quillen was proud. Nobody thanked Mrs", " Quillen"),
        ("The code is 7391. I repeat: the code is 7", "391"),
        ("apple pear plum apple pear plum apple pear", " plum"),
        ("The big dog ran home. The small cat slept. The big dog ran", " home"),
        ("Anna has a red hat. Tom has a blue hat. Anna has a", " red"),
    ),
    "Indirect object (IOI)": (
        ("When Mary and John went to the store, John gave a drink to", " Mary"),
        ("When Anna and Tom went to the park, Tom gave a ball to", " Anna"),
        ("After Peter and Lucy came home, Lucy gave the key to", " Peter"),
        ("Then Ben and Sam had a long talk. Sam said goodbye to", " Ben"),
        ("While Tom and Lily sat in the garden, Lily gave a flower to", " Tom"),
    ),
    "Days and numbers": (
        ("Monday, Tuesday, Wednesday,", " Thursday"),
        ("January, February, March,", " April"),
        ("one two three four one two three", " four"),
        ("one, two, three, four,", " five"),
        ("Friday, Saturday,", " Sunday"),
        ("The day after Monday is", " Tuesday"),
        ("spring, summer, autumn,", " winter"),
    ),
    "Names and values": (
        ("Adam is 1. Tom is 2. Anna is", " 3"),
        ("Adam is 1. Tom is 2. Anna is 3. Ben is 4. Lily is", " 5"),
        ("Tom has 5. Anna has 6. Ben has", " 7"),
        ("Tom is one. Anna is two. Ben is three. Lily is", " four"),
    ),
    "Simple stories": (
        ("Once upon a time there was a little", " girl"),
        ("The king lived in a", " castle"),
        ("The fox ran into the forest. The fox ran into the", " forest"),
        ("The small bird sang in the tree. The small bird sang in the", " tree"),
        ("Tom has a dog. The dog is big. Tom has a", " dog"),
        ("The girl was happy. The boy was happy. The girl was", " happy"),
        ("“Where is my hat?” asked the farmer. “Where is my", " hat"),
        ("The old man went to the market. The old man went to the", " market"),
        ("Lily put the key in the box. Lily put the key in the", " box"),
    ),
}

READY: tuple[ReadyPrompt, ...] = tuple(
    ReadyPrompt(kind, prompt, answer) for kind in KINDS for prompt, answer in _BY_KIND[kind]
)
"""Every ready prompt, group by group."""
