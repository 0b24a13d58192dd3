"""Why two papers disagree: the best-known recipes for scoring heads, side by side.

Published scores of one head range from nothing to almost one, because each source has its own
texts, its own cells and its own denominator. Here each recipe is computed as its source says, on
the same model in the same pass. With A[q, k] a head's attention on a text, there are four measures:

==============  ===========================================================================
``weighted``    sum of A W, with the weights W of the recipe; the mean over its texts
``mul``         sum(A M D) / sum(A M), ``detect_head``'s default
``abs``         1 - round(sum(|A - D| M) / n, 3), its other measure
``activation``  this project's (:mod:`headroles.scoring`)
==============  ===========================================================================

``docs/definitions.md`` gives every formula with its source, and what a source leaves open.

>>> [recipe.key for recipe in RECIPES["positional"]]
['ours', 'arena']
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from jaxtyping import Float
from torch import Tensor

from headroles.detector import recipe_cells as cells
from headroles.roles import Prompts

OURS = "headroles (this project)"
MAIN_DEMO = "TransformerLens, Main Demo (Nanda & Bloom 2022)"
ARENA = "ARENA 1.2, induction score (McDougall et al. 2023)"
IOI = "Wang et al. 2022, arXiv 2211.00593, appendices H and I"
OLSSON = "Olsson et al. 2022, arXiv 2209.11895, head activation evaluators"
CROSBIE = "Crosbie & Shutova 2024, arXiv 2407.07011, after Bansal et al. 2023, arXiv 2212.09095"
YIN = "Yin & Steinhardt 2025, arXiv 2502.14010, with detect_head of that time"
DETECT = "TransformerLens, detect_head and Head Detector Demo (Nanda & Bloom 2022)"
VARIANT = "a common variant, without one source"


@dataclass(frozen=True)
class Recipe:
    """One way to score all heads of a model for a role."""

    key: str
    """Unique among the recipes of its role."""
    role: str
    """The role's key."""
    name: str
    """Short, as bars and tables have it."""
    source: str
    """Who measures so."""
    formula: str
    """The number, in a line."""
    differs: str
    """What makes it differ from the others, in a sentence."""
    texts: str
    """The key of its texts (:data:`headroles.detector.recipe_texts.TEXTS`)."""
    measure: str = "weighted"
    """``weighted``, ``mul``, ``abs`` or ``activation``."""
    weights: Callable[[Prompts], Float[Tensor, "batch query key"]] | None = None
    """For ``weighted``: [batch query key] W, each text's own."""
    pattern: str = ""
    """For the others: the key of the detection pattern."""
    exclude_bos: bool = False
    exclude_current_token: bool = False

    @property
    def from_zero(self) -> bool:
        """Whether the score is a share from 0 to 1; ``abs`` runs from -1 to 1."""
        return self.measure != "abs"


def _own(role: str, texts: str, name: str = "This project") -> Recipe:
    aside = role in ("induction", "duplicate_token")
    return Recipe(
        "ours", role, name, OURS,
        "mean over the rows that apply of the attention on the role's cells"
        + (", over the same rows' attention that is not on column 0" if aside else ""),
        "Only rows where the role has something to do count, each once however many copies it has"
        + ("; attention that rests on the first token is left out of the denominator." if aside
           else "."),
        texts, "activation", pattern=role,
    )  # fmt: skip


def _whole_row(role: str) -> Recipe:
    return Recipe(
        "whole_row", role, "Share of the whole row", VARIANT,
        "mean over the rows that apply of the attention on the role's cells",
        "The same texts and rows as ours, but attention that rests on the first token stays in the "
        "denominator: a head that rests half of the time gets half.",
        "repeats", weights=partial(cells.per_row, role=role),
    )  # fmt: skip


def _per_pair(role: str) -> Recipe:
    return Recipe(
        "per_pair", role, "Each pair counts once", VARIANT,
        "mean of A[q, k] over all pairs (q, k) of the role's cells",
        "The same texts, averaged over pairs and not over rows: a perfect head that looks at one "
        "of three earlier copies gets a third.",
        "repeats", weights=partial(cells.per_pair, role=role),
    )  # fmt: skip


def _detect_head(role: str, texts: str) -> list[Recipe]:
    """``detect_head`` on the short prompts of its demo, with and without its exclusions."""
    plain = (
        "Short sentences; the start token's own row, which has no target, counts as well."
        if texts == "plain"
        else "Short prompts, and every row counts, also those without a target: even a perfect "
        "head stays far below 1."
    )
    kinds = (
        ("mul", "detect_head, mul", "mul", False, False, plain),
        ("mul_no_bos", "mul, exclude_bos", "mul", True, False,
         "Attention on the first token is taken out above and below the line: a head that rests "
         "nearly always is scored by the little that is left."),
        ("mul_no_bos_self", "mul, both exclusions", "mul", True, True,
         "Attention on the first token and on the token itself are taken out above and below the "
         "line."),
        ("abs", "detect_head, abs", "abs", False, False,
         "Every cell counts: 1 is a perfect match. Attention beside the pattern and cells of it "
         "without attention both cost, so that a score can fall below −1."),
    )  # fmt: skip
    lines = {
        "mul": "sum(A D) / sum(A), column 0 and the diagonal left out of both where it says so",
        "abs": "1 − sum |A − D| / n",
    }
    return [
        Recipe(key, role, name, DETECT, lines[measure], differs, texts, measure,
               pattern=f"{role}_head", exclude_bos=bos, exclude_current_token=itself)
        for key, name, measure, bos, itself, differs in kinds
    ]  # fmt: skip


_INDUCTION = (
    _own("induction", "repeats"),
    _whole_row("induction"),
    _per_pair("induction"),
    Recipe(
        "main_demo", "induction", "Main Demo", MAIN_DEMO,
        "mean of the diagonal A[q, q − 49] over its 51 entries",
        "Stripe without a start token: the first tokens of the text are what heads rest on, and "
        "one of the 51 entries is no second copy.",
        "main_demo", weights=partial(cells.stripe, back=49),
    ),
    Recipe(
        "arena", "induction", "ARENA", ARENA,
        "mean of the diagonal A[q, q − 49] over its 52 entries",
        "Stripe behind a start token; two of the 52 entries are no second copy, so a perfect head "
        "gets .96 to .98.",
        "arena", weights=partial(cells.stripe, back=49),
    ),
    Recipe(
        "second_copy", "induction", "Second copy, column 0 out", VARIANT,
        "mean of A[q, q − 49] over the 50 rows of the second copy; column 0 out, not renormalised",
        "The same texts as ARENA with the second copy's rows alone; what rests on the first token "
        "lowers the score.",
        "arena", weights=partial(cells.second_copy, half=50, back=49, start=1),
    ),
    Recipe(
        "ioi", "induction", "IOI paper", IOI,
        "mean of A[i, i − 99] over the 100 rows of the second copy",
        "Two copies of 100 tokens without a start token: longer than most, and heads rest on a "
        "random token.",
        "ioi", weights=partial(cells.second_copy, half=100, back=99, start=0),
    ),
    Recipe(
        "olsson", "induction", "Olsson et al.", OLSSON,
        "mean of A[q, k] over all pairs of a token and a token that followed it in an earlier copy",
        "Four copies, averaged over pairs: a perfect head divides its attention among one to three "
        "copies, so it gets .50.",
        "olsson", weights=partial(cells.earlier_copies, segment=25),
    ),
    Recipe(
        "crosbie", "induction", "Crosbie & Shutova", CROSBIE,
        "mean over rows of the attention on all tokens that followed it in earlier copies",
        "Four copies, added up over copies and averaged over rows: a perfect head gets 1. By its "
        "indices, the last token of a copy also counts the text's first word.",
        "crosbie", weights=partial(cells.prefix_matching, segment=50),
    ),
    Recipe(
        "yin", "induction", "Yin & Steinhardt", YIN,
        "detect_head, mul, on the decoded text; every row counts",
        "Random ids are decoded and tokenised again, so that copies are not exact; the first "
        "copy's rows count as well. The call asks for abs, which detect_head ignored at that time "
        "for a list of prompts.",
        "read_again", "mul", pattern="induction_head",
    ),
    *_detect_head("induction", "repeating"),
)  # fmt: skip

_DUPLICATE = (
    _own("duplicate_token", "repeats"),
    _whole_row("duplicate_token"),
    _per_pair("duplicate_token"),
    Recipe(
        "ioi", "duplicate_token", "IOI paper", IOI,
        "mean of A[i, i − 100] over the 100 rows of the second copy",
        "Two copies of 100 random tokens without a start token; resting lowers the score.",
        "ioi", weights=partial(cells.second_copy, half=100, back=100, start=0),
    ),
    *_detect_head("duplicate_token", "repeating"),
)  # fmt: skip

_PREVIOUS = (
    _own("previous_token", "sentences"),
    Recipe(
        "diagonal", "previous_token", "Mean diagonal −1", OLSSON + "; ARENA 1.2",
        "mean of A[i, i − 1] over all rows but the first, on ordinary text",
        "Row 1 counts too, whose previous token is the first one: there every head that rests "
        "scores.",
        "sentences", weights=partial(cells.stripe, back=1),
    ),
    Recipe(
        "ioi", "previous_token", "IOI paper", IOI,
        "mean of A[i, i − 1] on 100 random tokens said twice",
        "On random tokens: what a head does for the sake of words is missing, and what it does by "
        "place alone stands out.",
        "ioi", weights=partial(cells.stripe, back=1),
    ),
    *_detect_head("previous_token", "plain"),
)  # fmt: skip

_POSITIONAL = (
    _own("positional", "sentences"),
    Recipe(
        "arena", "positional", "ARENA", ARENA.replace("induction score", "first-token detector"),
        "mean of A[q, 0] over all rows",
        "Row 0 counts too, where no head has a choice: a bonus of one in as many as there are "
        "tokens.",
        "sentences", weights=cells.first_column,
    ),
)  # fmt: skip

RECIPES: dict[str, tuple[Recipe, ...]] = {
    "induction": _INDUCTION,
    "duplicate_token": _DUPLICATE,
    "previous_token": _PREVIOUS,
    "positional": _POSITIONAL,
}
"""{role: its recipes}, ours first."""
