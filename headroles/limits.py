"""How large and how many: the limits of what people type, upload and collect, in one table.

Pages and command lines ask the same table, before anything is read, decoded or tokenised: what is
too large then costs nothing. Boxes also tell the browser (``max_chars``), which takes no more.

>>> PROMPT.check(60_000)
Traceback (most recent call last):
headroles.errors.LimitError: The prompt has 60,000 characters; at most 50,000 are allowed. ...
"""

from __future__ import annotations

from typing import NamedTuple

from headroles.errors import LimitError


class Limit(NamedTuple):
    """The most of something."""

    most: int
    """Characters, bytes, or things."""
    sentence: str
    """How many there are, with the number as ``{:,}``."""
    hint: str
    """The way out."""

    def check(self, size: int) -> None:
        """Refuse what is larger.

        Raises:
            LimitError: with the size, the limit and the way out.
        """
        if size > self.most:
            raise LimitError(self.sentence.format(size), size=size, most=self.most, hint=self.hint)


class Range(NamedTuple):
    """The numbers that something may be, both ends included."""

    least: int | float
    most: int | float

    def __contains__(self, value: object) -> bool:
        return self.least <= value <= self.most  # which NaN never is


PROMPT = Limit(
    50_000,
    "The prompt has {:,} characters",
    "Shorten it: a model reads only the first few hundred tokens anyway.",
)
"""Characters of one prompt; the tokeniser takes about 25 ms for as many."""
WAKING = Limit(
    4_000,
    "The prompt has {:,} characters",
    "Shorten it: a sentence or two are enough to wake a head.",
)
"""Characters of a prompt that is tried in a lesson, and kept in a worksheet."""
BOX = 4 * PROMPT.most
"""Characters that the box of a prompt takes. The browser drops a longer paste without a word; one
that is merely too long gets the sentence above, and stays in the box to be shortened."""
PROMPTS = Limit(
    1_000,
    "There are {:,} prompts",
    "Leave some out: a thousand already make the standard error small.",
)
"""Prompts of one detection."""
PROMPTS_TEXT = Limit(
    500_000,
    "The prompts have {:,} characters together",
    "Leave some out, or shorten them.",
)
"""Characters of a box or file with a prompt on every line."""
COMPONENT_SETS = Limit(
    2_000,
    "The sets of components have {:,} characters together",
    "Leave some out.",
)
"""Characters of a box with sets of components."""
SETS = Limit(
    12,
    "There are {:,} sets of components",
    "Leave some out, and ask for them afterwards.",
)
"""Sets of components of one table."""
OWN_PROMPTS = Limit(
    100,
    "There are {:,} prompts of your own",
    "Leave some out, and make another table of them.",
)
"""Typed prompts of one table of the Knock-out lab."""
ANSWER = Limit(80, "What should come next has {:,} characters", "One token is watched: shorten it.")
"""Characters of what should come next."""
TOKEN = Limit(200, "The text has {:,} characters", "Only its first token is looked up: shorten it.")
"""Characters of a token to look up, and of a search."""

UPLOAD = Limit(2 * 1024 * 1024, "The file has {:,} bytes", "Leave out what is not needed.")
"""Bytes of a file; ``server.maxUploadSize`` of ``.streamlit/config.toml`` says the same in MB."""
COUNTED = Limit(256 << 20, "The file has {:,} bytes", "Count a part of it.")
"""Bytes of a text whose tokens are counted."""
WORDS = Limit(20_000, "The file has {:,} words", "Leave out the rarest.")
"""Words of a file that a table of circuits is made of."""
CORPUS = Limit(
    5_000_000,
    "The texts have {:,} characters together",
    "Leave some out: a few hundred thousand show what a head does.",
)
"""Characters of real text that somebody brings, and bytes of each of its files."""
OWN_TEXT = Limit(
    200_000, "The text has {:,} characters", "Upload it as a file, or paste a part of it."
)
"""Characters of a text that is pasted."""
MATRIX = Limit(
    2_000_000, "The file has {:,} characters", "Write the numbers with fewer digits: 0.25, 1, 0."
)
"""Characters of a matrix in a CSV file."""
MATRIX_ROWS = Limit(
    512, "The file has {:,} rows", "A prompt has no more tokens than that: leave out the others."
)
"""Rows of a matrix, as many as the longest prompt has tokens."""
EXPRESSION = Limit(300, "The expression has {:,} characters", "Shorten it, or paint the cells.")
"""Characters of an expression."""
EXPRESSION_PARTS = Limit(80, "The expression has {:,} parts", "Shorten it, or paint the cells.")
"""Names, numbers and signs of an expression, which bounds the time that it takes."""
NAME = Limit(40, "The name has {:,} characters", "Choose a shorter one.")
"""Characters of a pattern's name."""
PATTERNS = Limit(12, "There are {:,} patterns", "Leave some out: each gets a map of its own.")
"""Patterns of one detection."""
OWN_PATTERNS = Limit(
    12, "With this one you have made {:,} patterns", "Remove one that you no longer need."
)
"""Patterns that a session keeps."""
SESSION_ROLES = Limit(
    12, "With this one there are {:,} roles of this session", "Remove one that you no longer need."
)
"""Patterns that are saved as roles of a session."""
CLASS_ROLES = Limit(
    24, "With this one the class has {:,} roles", "Remove one that is no longer needed."
)
"""Roles that an instructor keeps for every visitor."""
CLASS_ROLES_FILE = Limit(
    2 * 1024 * 1024, "The roles of the class would have {:,} bytes", "Remove one of them."
)
"""Bytes of all of them together."""
CLASS_LESSONS = Limit(
    40, "With this one the class has {:,} lessons", "Remove one that is no longer needed."
)
"""Lessons that an instructor put live."""
LESSON = Limit(256 * 1024, "The lesson has {:,} bytes", "Make two lessons of it.")
"""Bytes of a lesson's file."""
CLASS_LESSONS_FILE = Limit(
    8 * 1024 * 1024, "The lessons of the class would have {:,} bytes", "Remove one of them."
)
"""Bytes of all of them together."""
KEPT_MATRIX = Limit(
    32, "The painted pattern is for {:,} tokens", "Keep an expression: it fits any prompt."
)
"""Tokens of a painted pattern that is kept for the class."""
LINKED_ROLES_TEXT = Limit(
    4_000, "The roles in the link have {:,} characters", "Share fewer roles in a link."
)
"""Characters of the roles that a link carries."""
MODEL_NAME = Limit(
    4_000, "The name of the model has {:,} characters", "Give a key, a folder or a Hub id."
)
"""Characters of the name of a model."""

SEED = Range(0, 2**31 - 1)
"""What fixes every random choice."""
SEQUENCES = Range(2, 2_000)
"""Random repeated sequences of an analysis."""
CAP = Range(1, 64)
"""The most heads that an analysis lists for a role."""
THRESHOLD = Range(0.005, 0.995)
"""A threshold that an instructor sets."""
MARK_SHARE = Range(0.0, 1.0)
"""The share from which a reader marks the heads of a map."""
MARK_LOGITS = Range(0.0, 100.0)
"""The same on maps in logits."""
MARKED = Range(1, 1_000)
"""How many heads are marked as the highest of a map."""
GENERATED = Range(1, PROMPTS.most)
"""Prompts of a detection that are made up."""
PERIODS = Range(3, 8)
"""Tokens of an item of a sequence with a period."""
DRAWN_SEQUENCES = Range(2, 64)
"""Sequences of a period."""
CHANCE = Range(2, 100)
"""Prompts on which a contribution is measured again, for chance."""
LISTED_TOKENS = Range(1, 20)
"""Tokens whose logits rose or fell, in either list."""
OFFSETS = Range(2, 10)
"""How far back the previous-token test goes."""
SAMPLES = Range(8, 200)
"""Samples of that test."""
DRAWS = Range(0, 200)
"""Draws of random other heads to compare with."""
PAIRS = Range(1, 64)
"""Pairs of prompts that the effect of a path is the mean over."""
CIRCUIT_WIDTH = Range(1, 8)
"""Heads of a level of a circuit that is grown."""
CIRCUIT_DEPTH = Range(0, 4)
"""Levels behind the heads that write into the logits."""
TABLE_DRAWS = Range(0, 20)
"""The same on a page for every condition of a table of many prompts."""
FROM_END = Range(1, 100)
"""How many tokens before the last one the position t of such a table is."""
READ_TOKENS = Range(100, 5_000_000)
"""Tokens of real text that are read in one pass."""
ROWS = Range(1, 100)
"""Rows of a table of circuits, and tokens in each."""
LISTED_HEADS = Range(1, 10_000)
"""Heads that are printed for a pattern."""
