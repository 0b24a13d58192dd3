"""The extended roles: for readers who want to go further (:mod:`headroles.roles.registry`).

This module imports no heavy library.

>>> [role.key for role in EXTENDED][:2]
['delimiter', 'fixed_offset']
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from headroles.roles import cells
from headroles.roles.role import REPETITION_LIFT, Role

_IOI_CONTROL = "the same prompts with a third name where the subject is repeated"


def _at_distance(places: int) -> Role:
    """``fixed_offset`` for the heads that look so many places back."""
    return replace(
        _FIXED_OFFSET,
        cells=partial(cells.offset, places=places),
        at_distance=None,
        looks_at=f"the token {places} back",
        asleep=f"No token has another {places} places before it.",
    )


_FIXED_OFFSET = Role(
    level="extended",
    key="fixed_offset",
    name="Fixed offset",
    icon="straighten",
    explanation=(
        "This head looks a fixed number of tokens back, from 2 to 16, whatever stands there. "
        "One token back is the role Previous token, and counts there only."
    ),
    looks_at="one fixed distance, 2 to 16 tokens back",
    formula="mean over q of A[q, q−d] at its best distance d of 2 to 16, q−d ≥ 1",
    source="Voita et al. 2019, Analyzing Multi-Head Self-Attention, arXiv 1905.09418",
    measured_on="pairs of sentences",
    control="random tokens",
    caution="The distance chosen is the one furthest above chance, so weak peaks look high.",
    at_distance=_at_distance,
    min_rows=4,
    min_tokens=0,
)

EXTENDED = (
    Role(
        level="extended",
        key="delimiter",
        name="Delimiter",
        icon="more_horiz",
        explanation=(
            "This head looks at the marks that set clauses and sentences apart: . , ; : ! ? and "
            "line breaks."
        ),
        looks_at="delimiters",
        formula="mean over q of A[q, delimiters up to q]",
        source="Clark et al. 2019, What Does BERT Look At?, arXiv 1906.04341",
        measured_on="pairs of sentences",
        control="random tokens, the same places",
        caution="Chance is the marks' share of the tokens so far, row by row.",
        cells=cells.delimiters,
        min_rows=4,
        min_tokens=0,
        asleep="There is no . , ; : ! ? or line break in this prompt.",
    ),
    _FIXED_OFFSET,
    Role(
        level="extended",
        key="subword_merge",
        name="Subword merge",
        icon="join_inner",
        explanation=(
            "A long word is several tokens: lo, qu, acious. At the later pieces of a word, this "
            "head looks at its earlier pieces, and so puts the word together again."
        ),
        looks_at="the earlier tokens of the same word",
        formula="mean over q inside a word of A[q, earlier tokens of q’s word]",
        source=(
            "Correia et al. 2019, Adaptively Sparse Transformers, arXiv 1909.00015; Ferrando & "
            "Voita 2024, Information Flow Routes, arXiv 2403.00824"
        ),
        measured_on="sentences with words of several tokens",
        control="random tokens, the words’ places",
        needs_cue=True,
        caution=(
            "The earlier piece is often the token just before, where a previous-token head looks, "
            "too: heads that keep half of their lift on random tokens are not listed."
        ),
        cells=cells.current_word,
        asleep="Every word of this prompt is one token.",
        story_hints=(
            "The chrysanthemum and the rhododendron grew behind the greenhouse.",
            "Kwame Asantewaa photographed a hippopotamus and an armadillo.",
        ),
        text_hints=(
            "Ottilie Brandtmeier photographed the hippopotamus near Llangollen.",
            "A loquacious ventriloquist serenaded Guinevere with a mandolin.",
        ),
    ),
    Role(
        level="extended",
        key="long_prefix",
        name="Long-prefix induction",
        icon="low_priority",
        explanation=(
            "If a word stood in several places before, an induction head may look behind any of "
            "them. This head picks the place where more than the one word matches: after “the red "
            "hat”, the earlier “red hat” rather than “old hat” or “new hat”."
        ),
        looks_at="what followed the earlier copy that matches by two tokens or more",
        formula=(
            "S(q) = {k : k in S(q) of Induction, t[k−2] = t[q−1]}, where at least two other places "
            "match by t[q] alone, one of them later; as a share of the attention that does not rest"
        ),
        source=(
            "Akyürek et al. 2024, In-Context Language Learning (n-gram heads), arXiv 2401.12973; "
            "Olsson et al. 2022, arXiv 2209.11895"
        ),
        measured_on="random tokens with matches of different lengths",
        control="other tokens before the match, so that it is one token long",
        needs_cue=True,
        caution=(
            "On its texts a head that spreads evenly over all four matches scores 25% at most. The "
            "score is for matches of 2, 3 and 4 tokens together; each stands beside it."
        ),
        cells=cells.after_longer_matches,
        among=cells.besides_followers,
        min_lift=REPETITION_LIFT,
        requires_repetition=True,
        asleep=(
            "No place matches the text before a token by two tokens or more while others match by "
            "the one token alone."
        ),
        story_hints=(
            "The red cat ran, the old cat sat, the big cat hid. The red dog ate, the old dog "
            "slept, the big dog barked. I saw the red cat and the red dog",
            "one cat two, six cat nine, ten cat four, one dog three, six dog five, ten dog seven, "
            "one cat two, one dog three",
        ),
        text_hints=(
            "Row, row, row your boat, gently down the stream. Row, row, row your boat, gently down "
            "the",
            "copper lamp violin, silver lamp garden, golden lamp thunder, copper door pencil, "
            "silver door mirror, golden door coffee, copper lamp violin, copper door",
        ),
    ),
    Role(
        level="extended",
        key="semantic_category",
        name="Semantic category",
        icon="category",
        explanation=(
            "This head looks from a word to earlier words of the same kind: from a name to other "
            "names, from a colour to other colours. Not to the same word: that is a "
            "duplicate-token head."
        ),
        looks_at="earlier words of the same kind",
        formula=(
            "mean over q of A[q, k], k the earlier words of q’s category other than q’s own: "
            "names, days, months, towns, countries, colours, numbers, animals"
        ),
        source=(
            "after Vig & Belinkov 2019, Analyzing the Structure of Attention, arXiv 1906.04284 "
            "(heads by the kind of word); the score is ours"
        ),
        measured_on="lists and sentences with words of a few categories",
        control="words of no category in their places",
        needs_cue=True,
        caution=(
            "Only words of eight short lists count. A list of like words also has a form, so heads "
            "that keep half of their lift on other words in the same places are not listed."
        ),
        cells=cells.same_category,
        asleep="No two different words of this prompt are of one kind that the lists know.",
        story_hints=(
            "Tom has a red ball, Anna has a blue ball and Peter has a green ball.",
            "cat red dog blue Tom bird green horse Anna yellow Peter",
        ),
        text_hints=(
            "Paris, London, Madrid, Vienna, Oslo, Athens, Cairo, Delhi, Lima, Tokyo",
            "Anna red Monday Paris blue Peter Tuesday green London Mary",
        ),
    ),
    Role(
        level="extended",
        key="brackets",
        name="Brackets and quotes",
        icon="data_array",
        explanation=(
            "At a closing bracket or quotation mark, this head looks back at the one that opened: "
            "it knows what is being closed."
        ),
        looks_at="the opening mark that is being closed",
        formula="mean over closing marks q of A[q, the opening mark that q closes]",
        source=(
            "after Yao et al. 2021, Self-Attention Networks Can Process Bounded Hierarchical "
            "Languages, arXiv 2105.11115 (a network that matches brackets); the score is ours"
        ),
        measured_on="texts with brackets and quotation marks",
        control="another token in place of the opening mark",
        needs_cue=True,
        caution=(
            "A head that looks at any rare mark looks at opening ones, too. The straight single "
            "quote is left out: it is mostly an apostrophe."
        ),
        cells=cells.opening_marks,
        asleep="No bracket or quotation mark of this prompt is closed.",
        story_hints=(
            "“Where is my hat?” asked the farmer. “Where is my hat?” asked the farmer again.",
            "“I am tired,” said the bear. “I am not tired,” said the rabbit.",
        ),
        text_hints=(
            "The old bridge (it was built by monks) fell into the river (nobody was hurt).",
            "“Where is the key?” asked Nora. “I gave the key to Felix,” said Tom. “And where is "
            "Felix?” asked Nora.",
        ),
    ),
    Role(
        level="extended",
        key="successor",
        name="Successor",
        icon="skip_next",
        explanation=(
            "Given Monday, this head writes Tuesday: it raises what comes next in the order of "
            "numbers, letters, days or months."
        ),
        formula="share of x for which the head's OV circuit raises x's successor most of its kind",
        source="Gould et al. 2023, Successor Heads, arXiv 2312.09230 (the OV score)",
        measured_by="weights",
        measured_on="numbers, letters, days and months",
        control="random words in a made-up order",
        caution="It reads the weights: what the head would write, wherever it looks.",
    ),
    Role(
        level="extended",
        key="s_inhibition",
        name="S-inhibition",
        icon="block",
        explanation=(
            "In “When Mary and John went to the store, John gave a drink to”, this head keeps the "
            "name movers off John, who stands there twice: without it they look more at John and "
            "less at Mary."
        ),
        formula=(
            "how far r = A[IO] / (A[IO] + A[S1] + A[S2]), the name movers' attention from the end, "
            "falls when the head is knocked out there"
        ),
        source="Wang et al. 2022, Interpretability in the Wild (IOI), arXiv 2211.00593",
        measured_by="knock_out",
        sign=1,
        measured_on="IOI prompts",
        control=_IOI_CONTROL,
        caution=(
            "Each head is knocked out alone, so heads that stand in for one another look weaker "
            "than they are together."
        ),
    ),
    Role(
        level="extended",
        key="name_mover",
        name="Name mover",
        icon="drive_file_move",
        explanation=(
            "At the end of such a sentence this head looks at the name that stands there once, "
            "and writes it: it moves the name to the answer."
        ),
        formula="mean of A[end, IO] × direct effect of v[IO]·W_O on the indirect object's logit",
        source="Wang et al. 2022, Interpretability in the Wild (IOI), arXiv 2211.00593",
        measured_by="direct_effect",
        sign=1,
        measured_on="IOI prompts",
        control=_IOI_CONTROL,
        caution=(
            "This is what the head itself writes; a knock-out may change less, because other "
            "heads stand in for it. Below zero the head writes against the name: a negative name "
            "mover."
        ),
    ),
    Role(
        level="extended",
        key="copy_suppression",
        name="Copy suppression",
        icon="content_cut",
        explanation=(
            "This head looks at the token that followed an earlier copy, as an induction head "
            "does, but writes against it: it lowers a guess that the model is too sure of."
        ),
        formula="mean over q of the sum over k in S(q) of A[q, k] × effect of v[k]·W_O on t[k]",
        source="McDougall et al. 2023, Copy Suppression, arXiv 2310.04625",
        measured_by="direct_effect",
        sign=-1,
        measured_on="random repeated sequences",
        control="random tokens without the repetition, the same places",
        caution="Above zero it copies, as induction heads do. S(q) is that of the role Induction.",
    ),
    Role(
        level="extended",
        key="retrieval",
        name="Retrieval",
        icon="manage_search",
        explanation=(
            "An answer stands somewhere in a long text. While the model says it, word by word, "
            "this head looks at exactly the word that is said, and copies it out of the text."
        ),
        formula=(
            "share of the answer’s tokens for which the head’s top key lies in the needle and is "
            "the token that the model says"
        ),
        source="Wu et al. 2024, Retrieval Head and Long-Context Factuality, arXiv 2404.15574",
        measured_by="copying",
        default_threshold=0.1,
        set_by="Wu et al. 2024",
        measured_on="needles in a haystack of sentences",
        control="random tokens in place of the answer, the same places",
        needs_cue=True,
        caution=(
            "The texts are short, about 100 tokens; on long ones fewer heads may hold out. "
            "Induction heads copy in this way, too, for the answer goes on as the needle did."
        ),
    ),
)
"""In the order in which pages show them."""
