"""Ready experiments for the Detector lab: prompts, patterns and settings, and what to look for.

The first ones are those of the *Head Detector Demo* of TransformerLens, whose
results on GPT-2 small are named beside them; the last ones ask what a head does where numbers rise
instead of repeating.

>>> READY_DETECTIONS[0].key, READY_DETECTIONS[0].measure
('demo-previous', 'mul')
"""

from __future__ import annotations

from typing import NamedTuple

DEMO = "detect_head demo"
NUMBERS = "Numbers"
GROUPS = (DEMO, NUMBERS)
"""The groups, in the order of a list."""


class ReadyDetection(NamedTuple):
    """One experiment."""

    key: str
    """Its name in an address."""
    group: str
    """One of :data:`GROUPS`."""
    name: str
    """As people read it."""
    prompts: tuple[str, ...]
    """One, which the other pages then show too, or several."""
    patterns: tuple[str, ...]
    """As :func:`headroles.roles.parse_pattern` reads them."""
    look_for: str
    """What to look for in the result, whatever the model."""
    measure: str = "activation"
    """``activation``, ``mul`` or ``abs``."""
    exclude_bos: bool = False
    """Whether attention on the first token is left out of ``mul`` and ``abs``."""
    exclude_current_token: bool = False
    """The same of a token's attention on itself."""


_DETECTOR = (
    "The head detector feature for TransformerLens allows users to check for various common heads "
    "automatically, reducing the cost of discovery."
)
_LONG_WORDS = (
    "The following lexical sequence has been optimised for the maximisation of loquaciously "
    "multitoken letter combinations."
)
_SENTENCES = (
    "This is the first the test prompt.",
    "This is another test prompt, being just a sequence of tokens.",
    "If you're interested in mechanistic interpretability, this is how the sausage REALLY is made.",
)
_REPEATS = (
    "one two three one two three one two three",
    "1 2 3 4 5 1 2 3 4 1 2 3 1 2 3 4 5 6 7",
    "green ideas sleep furiously; green ideas don't sleep furiously",
)
_NAMES = "Adam is 1. Tom is 2. Anna is 3. Ben is 4. Lily is"
_ALL_CELLS = "expression:k <= q"

READY_DETECTIONS: tuple[ReadyDetection, ...] = (
    ReadyDetection(
        "demo-previous",
        DEMO,
        "Previous token on one sentence",
        (_DETECTOR,),
        ("previous_token_head",),
        "One or two heads should stand far above the rest (in GPT-2 small L4H11, and L2H2 less "
        "clearly). Open the best one: what else it looks at is mostly the first token.",
        measure="mul",
    ),
    ReadyDetection(
        "demo-previous-without",
        DEMO,
        "The same without the first token and the token itself",
        (_DETECTOR,),
        ("previous_token_head",),
        "Many more heads score high now (in GPT-2 small also L0H3 and L5H6). Look at “Left” in the "
        "ranking: of a head that mostly rests, only crumbs are compared.",
        measure="mul",
        exclude_bos=True,
        exclude_current_token=True,
    ),
    ReadyDetection(
        "demo-word-mul",
        DEMO,
        "Current word, by mul",
        (_LONG_WORDS,),
        ("current_word",),
        "Does a head look at the earlier pieces of its word? Compare with the next experiment: "
        "mul asks only where the attention goes, and forgives what it does elsewhere.",
        measure="mul",
        exclude_current_token=True,
    ),
    ReadyDetection(
        "demo-word-abs",
        DEMO,
        "Current word, by abs",
        (_LONG_WORDS,),
        ("current_word",),
        "By abs the order changes (in GPT-2 small L0H3 gets .75 and L5H6 .16). Open the best head: "
        "does it find all pieces of a word of three, or only of words of two?",
        measure="abs",
        exclude_current_token=True,
    ),
    ReadyDetection(
        "demo-three",
        DEMO,
        "Previous token on three sentences, by abs",
        _SENTENCES,
        ("previous_token_head",),
        "The head that was best on one sentence should be best again, with a small ± beside it.",
        measure="abs",
    ),
    ReadyDetection(
        "demo-nothing",
        DEMO,
        "Duplicate token where hardly anything repeats",
        _SENTENCES,
        ("duplicate_token_head",),
        "Nothing should be found: these sentences have next to no repeated token. Scores that look "
        "high all the same are what an empty pattern gives.",
        measure="abs",
    ),
    ReadyDetection(
        "demo-repeats",
        DEMO,
        "Duplicate token and induction where much repeats",
        _REPEATS,
        ("duplicate_token_head", "induction_head"),
        "A few heads should match, and not the same ones on both maps. “Prompt by prompt” says on "
        "which of the three each of them fails.",
        measure="abs",
    ),
    ReadyDetection(
        "demo-ones",
        DEMO,
        "A pattern of ones everywhere, by mul",
        (_DETECTOR,),
        (_ALL_CELLS,),
        "Every head gets 100%, which means nothing: a pattern that predicts everything always "
        "hits. Switch to abs, and every head fails.",
        measure="mul",
        exclude_bos=True,
        exclude_current_token=True,
    ),
    ReadyDetection(
        "names-and-values",
        NUMBERS,
        "Names and values: who looks at numbers, who at names?",
        (_NAMES,),
        (
            "expression:is_number(q) and is_number(k) and k < q",
            "expression:is_capitalised(q) and is_capitalised(k) and 0 < k and k < q",
            "offset:4",
        ),
        "Nothing repeats here but “is” and the full stop, and every sentence has four tokens where "
        "each word and number is one. Does a head look from numbers to numbers and not from names "
        "to names, or simply four tokens back?",
    ),
    ReadyDetection(
        "in-order",
        NUMBERS,
        "Numbers, days and letters in order",
        (
            "one two three four five six seven",
            "two four six eight ten twelve",
            "Monday Tuesday Wednesday Thursday Friday",
            "A B C D E F G H",
        ),
        ("previous_token", "induction", "offset:2"),
        "Nothing comes twice, so induction has nothing to go by, and its map stays empty. What is "
        "left are heads that go by position: are they the same on all four sequences?",
    ),
    ReadyDetection(
        "lengths-of-a-pattern",
        NUMBERS,
        "Does a head look back further when the pattern is longer?",
        (
            "Adam is 1. Tom is 2. Anna is 3. Ben is 4.",
            "Adam is now 1. Tom is now 2. Anna is now 3. Ben is now 4.",
            "Adam 1. Tom 2. Anna 3. Ben 4.",
        ),
        ("offset:3", "offset:4", "offset:5"),
        "The sentences have four, five and three tokens where each word and number is one. A head "
        "that goes by position is best at one distance on all of them; one that follows the "
        "pattern changes its distance. See “Prompt by prompt”.",
    ),
)
"""Every ready experiment, group by group."""


def ready_detection(key: str) -> ReadyDetection | None:
    """The experiment of that key; None where there is none."""
    return next((one for one in READY_DETECTIONS if one.key == key), None)
