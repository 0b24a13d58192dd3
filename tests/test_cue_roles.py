"""The extended roles that ask for their cue: cells by hand and a second way, planted heads."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from headroles.capture import capture
from headroles.models import load_model, load_tokenizer, name_of
from headroles.paths import DEMO_MODEL, ROOT
from headroles.roles import ROLES, Prompts, cue, read_prompts
from headroles.roles.cells import words_at
from headroles.scoring import role_activation, role_weights, select_heads
from headroles.store import Category, Control, StoredRole, categories
from headroles.texts.marks import closing_marks
from headroles.texts.words import category_of
from headroles.types import Encoding, Head, PromptRun, RoleScores
from headroles.verdicts import judge_heads
from headroles.view import extended_roles, head_maps
from headroles.view.head_records import going_by_place

KEYS = ("subword_merge", "long_prefix", "semantic_category", "brackets")
WORDS = ["<s>", " red", " lo", "qu", " cat", ".", " Blue", " (", "a", " [", "x", "]", ")", " dog"]
# x = 5 stands behind 1 2, 3 2, 4 2 and 1 2 again: once with its 1 2, twice with a 2 alone.
LONGER = [0, 1, 2, 5, 3, 2, 6, 4, 2, 7, 8, 1, 2]


def prompts_of(key: str) -> Prompts:
    if key == "long_prefix":
        return Prompts.of_ids(LONGER)
    return Prompts.of_ids(range(len(WORDS)), tokens=[WORDS])


def cells(key: str, prompts: Prompts) -> set[tuple[int, int]]:
    return {(q, k) for q, k in ROLES[key].cells(prompts)[0].nonzero().tolist()}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("subword_merge", {(3, 2)}),
        ("long_prefix", {(12, 3)}),
        ("semantic_category", {(6, 1), (13, 4)}),
        ("brackets", {(11, 9), (12, 7)}),
    ],
)
def test_cells_by_hand(key, expected) -> None:
    assert cells(key, prompts_of(key)) == expected


# ------------------------------------------------------------------ a second way


def match_length(ids: list[int], q: int, k: int) -> int:
    """How many tokens up to q are those up to k - 1."""
    length = 0
    while k - 1 - length >= 0 and ids[q - length] == ids[k - 1 - length]:
        length += 1
    return length


def longer_matches(ids: list[int]) -> set[tuple[int, int]]:
    found = set()
    for q in range(len(ids)):
        matched = {k: match_length(ids, q, k) for k in range(1, q - 1) if ids[k] != ids[q]}
        short = [k for k, length in matched.items() if length == 1]
        long = [k for k, length in matched.items() if length > 1]
        if long and len(short) >= 2 * len(long) and max(short) > max(long):
            found |= {(q, k) for k in long}
    return found


@pytest.mark.parametrize("seed", range(8))
def test_longer_matches_are_those_that_a_loop_finds(seed) -> None:
    rng = np.random.default_rng(seed)
    ids = [9, *rng.integers(0, 3, 60).tolist()]
    expected = longer_matches(ids)
    assert expected
    assert cells("long_prefix", Prompts.of_ids(ids)) == expected


def test_a_match_of_one_token_beside_one_that_is_longer_is_too_few() -> None:
    assert cells("long_prefix", Prompts.of_ids([0, 1, 2, 5, 3, 2, 6, 8, 1, 2])) == set()


def test_the_last_match_must_be_a_short_one() -> None:
    assert cells("long_prefix", Prompts.of_ids([0, 3, 2, 6, 4, 2, 7, 1, 2, 5, 8, 1, 2])) == set()


def test_a_batch_has_the_cells_of_its_rows() -> None:
    other = ["<s>", " one", " two", " 3", "4", " “", "ab", "c", "”", ".", " x", " y", " (", ")"]
    both = Prompts.of_ids([range(14)] * 2, tokens=[WORDS, other])
    for key in ("subword_merge", "semantic_category", "brackets"):
        together = ROLES[key].cells(both)
        for row, tokens in enumerate((WORDS, other)):
            alone = ROLES[key].cells(Prompts.of_ids(range(14), tokens=[tokens]))
            assert torch.equal(together[row], alone[0])


# ------------------------------------------------------------------ words and marks


def test_words_are_joined_and_known_at_their_last_token() -> None:
    assert words_at(WORDS)[3] == "loqu"
    assert words_at(["<s>", " “", "Mon", "day", ",", " 1", "9"]) == {
        1: "",
        3: "Monday",
        4: "",
        6: "19",
    }


@pytest.mark.parametrize(
    ("word", "category"),
    [("Mary", "names"), ("Seven", "numbers"), ("RED", ""), ("1984", "numbers"), ("table", "")],
)
def test_the_category_of_a_word(word, category) -> None:
    assert category_of(word) == category


def test_the_same_word_is_no_other_word_of_its_category() -> None:
    prompts = Prompts.of_ids(range(4), tokens=[["<s>", " red", " Red", " blue"]])
    assert cells("semantic_category", prompts) == {(3, 1), (3, 2)}


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (["(", "(", "a", "))"], {4: 2}),  # the first that a token closes
        (["(", "a", "]", ")"], {4: 1}),
        (['"', "a", '"', "b", '"'], {3: 1}),
        (["don", "’", "t", "(", "a", ")"], {6: 4}),
        (["[", "(", "a", "]", ")"], {4: 1}),  # what was never closed is given up
        (["()", "a"], {}),
        (["<0xE2>", "<0x80>", "<0x9C>", "a", "<0xE2>", "<0x80>", "<0x9D>"], {7: 3}),
        (["„", "a", "“", "b", "”"], {3: 1}),
    ],
)
def test_closing_marks_by_hand(tokens, expected) -> None:
    assert closing_marks(["<s>", *tokens]) == expected


# ------------------------------------------------------------------ planted heads


def planted(targets: torch.Tensor) -> torch.Tensor:
    """[3 query key] a perfect head, one that spreads evenly, one that rests on position 0."""
    length = targets.shape[-1]
    resting = torch.zeros(length, length)
    resting[:, 0] = 1
    perfect = torch.where(targets.any(-1, keepdim=True), targets.float(), resting)
    even = torch.ones(length, length).tril()
    return torch.stack([head / head.sum(-1, keepdim=True) for head in (perfect, even, resting)])


@pytest.mark.parametrize("key", KEYS)
def test_a_perfect_head_scores_1_an_even_one_chance_and_a_resting_one_0(key) -> None:
    prompts = prompts_of(key)
    attention = planted(ROLES[key].cells(prompts)[0])
    found = role_activation(attention, prompts, ROLES[key])
    assert found.value[0] == pytest.approx(1)
    assert found.value[1] == pytest.approx(found.chance)
    assert found.value[2] == 0
    assert 0 < found.chance < 0.3


def test_a_head_of_one_matching_token_scores_a_third_of_three_places() -> None:
    """It spreads over all three places that match by the last token."""
    prompts = Prompts.of_ids(LONGER)
    spread = planted(ROLES["induction"].cells(prompts)[0])[0]
    found = role_activation(spread, prompts, ROLES["long_prefix"])
    assert found.value == pytest.approx(1 / 3)


# ------------------------------------------------------------------ who goes by the cue


def test_half_of_the_lift_may_be_left() -> None:
    assert cue.goes_by_cue(0.9, 0.5, 0.1)
    assert not cue.goes_by_cue(0.9, 0.51, 0.1)
    assert cue.goes_by_cue(0.5, 0.0, 0.1)


def scores(mean: list[float], control: list[float], key: str = "subword_merge") -> RoleScores:
    values, without = torch.tensor([mean]), torch.tensor([control])
    error = torch.full_like(values, 0.01)
    return RoleScores(key, values, error, 0.2, 8, control=without, control_error=error)


def test_a_head_that_keeps_its_score_without_the_cue_is_not_listed() -> None:
    both = [0.9, 0.9, 0.3], [0.3, 0.88, 0.0]
    listed = select_heads(scores(*both), 0.4, cap=8)
    assert [one.head for one in listed] == [Head(0, 0)]
    # A role that does not ask for its cue lists both.
    listed = select_heads(scores(*both, key="delimiter"), 0.4, cap=8)
    assert [one.head for one in listed] == [Head(0, 0), Head(0, 1)]


def test_on_a_prompt_it_is_not_active_and_the_reason_gives_both_numbers() -> None:
    prompts = prompts_of("brackets")
    perfect = planted(ROLES["brackets"].cells(prompts)[0])[0]
    run = PromptRun(
        "tiny",
        "",
        Encoding(tuple(range(len(WORDS))), tuple(WORDS), "<s>", False, len(WORDS)),
        perfect.expand(1, 2, -1, -1),
        (),
    )
    stored = StoredRole(
        role=ROLES["brackets"],
        category=Category(
            display_name="", description="", icon="", threshold=0.4, chance=0.1, n=8, top_heads=[]
        ),
        scores=[[0.9, 0.9]],
        errors=None,
        control=Control(name="", scores=[[0.1, 0.87]]),
        factors={},
        by_kind={},
        profile=None,
    )
    by_cue, by_place = judge_heads(stored, run)
    assert by_cue.is_active
    assert (by_place.state, by_place.activation.value) == ("quiet", 1)
    assert "87%" in by_place.reason
    assert "90%" in by_place.reason
    assert [stored.fits(head, 0.4) for head in stored.heads] == [True, False]


def test_pages_name_the_strongest_head_that_goes_by_the_cue_and_count_the_others() -> None:
    entry = categories.read_entry("demo")
    stored = entry.role("subword_merge")
    most = max(stored.known_heads, key=stored.score)
    assert most in stored.by_place(0.4)
    assert stored.strongest not in stored.by_place(0.0)
    sentence = head_maps.stored_sentence(stored, None)
    assert f"strongest is {stored.strongest.label}" in sentence
    assert f"{len(stored.by_place(stored.category.threshold))} heads" in sentence
    assert most.label in sentence
    assert going_by_place(entry.role("delimiter")) == ""


@pytest.mark.parametrize(
    ("key", "hint"), [(key, one) for key in KEYS for one in ROLES[key].story_hints]
)
def test_a_story_hint_has_enough_places_for_its_role(key: str, hint: str) -> None:
    """The bundled model lists no head for these; the small attention-only one does for one."""
    prompts, _ = read_prompts(load_tokenizer(str(DEMO_MODEL)), [hint], max_tokens=128)
    laid = role_weights(ROLES[key], prompts)
    assert int(laid.rows) >= ROLES[key].min_rows
    assert float(laid.chance) < 0.5


def test_the_stored_hints_wake_the_long_prefix_heads_of_the_small_model() -> None:
    stored = categories.read_entry("attn-only-2l-tiny").role("long_prefix")
    model, woken = load_model("attn-only-2l-tiny"), set()
    for hint in ROLES["long_prefix"].story_hints:
        verdicts = judge_heads(stored, capture(model, hint))
        woken |= {one.head for one in verdicts if one.is_active}
    assert len(woken & {*stored.listed}) >= 2


# ------------------------------------------------------------------ where they can be seen

_SAID = re.compile(r"(\*\*)?(L\d+H\d+) (\.\d\d) ± (\.\d\d) \((\.\d\d) ± (\.\d\d)\)")


def test_the_definitions_say_what_is_stored() -> None:
    """Every figure of its table on the shipped models; the bold heads are the listed ones."""
    text = (ROOT / "docs" / "definitions.md").read_text(encoding="utf-8")
    table = text.partition("**Where they can be seen.**")[2].partition("\n\nSo the ")[0]
    by_name = {ROLES[key].name: key for key in (*KEYS, "retrieval")}
    seen = 0
    for line in table.splitlines():
        name, *columns = [cell.strip() for cell in line.strip("|").split("|")]
        key = by_name.get(name.partition(" (")[0])
        if key is None:
            continue
        for model, said in zip(("smollm2-135m-instruct", "demo"), columns, strict=True):
            stored = categories.read_entry(model).extended[key]
            assert said.startswith("none") == (not stored.listed), (key, model)
            for bold, label, *figures in _SAID.findall(said):
                head = Head.parse(label)
                assert bool(bold) == (head in stored.listed), (key, model, label)
                known = (
                    stored.score(head),
                    stored.error(head),
                    stored.control_score(head),
                    stored.control_error(head),
                )
                assert [float(figure) for figure in figures] == pytest.approx(known, abs=0.0051)
                seen += 1
    assert seen > 20


def test_a_role_that_a_model_lacks_names_the_models_that_have_it() -> None:
    entries = categories.read_all()
    for key in (*KEYS, "retrieval"):
        said = extended_roles.seen_on(key, entries, besides="demo")
        for model, entry in entries.items():
            tops = entry.extended[key].category.top_heads if key in entry.extended else []
            name = name_of(model).partition(" (")[0]
            assert (name in said) == (bool(tops) and model != "demo"), (key, model)
            if name in said:
                assert tops[0].place.label in said
    nobody = extended_roles.seen_on("brackets", {"demo": entries["demo"]}, besides="demo")
    assert not re.search(r"L\d+H\d+", nobody)


def test_the_highest_head_of_a_map_is_named_where_it_goes_by_the_place() -> None:
    """The map shows its number, so the sentence must not call a lower one the strongest alone."""
    for key in KEYS:
        stored = categories.read_entry("demo").extended[key]
        highest = max(stored.known_heads, key=stored.score)
        assert highest.label in head_maps.stored_map(stored).sentence, key
