"""The texts of the new roles and their controls; and retrieval against plain generation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from headroles.analysis import (
    attention_roles,
    cue_texts,
    load_bridge,
    make_texts,
    missing,
    retrieval,
    with_missing_roles,
)
from headroles.analysis.bridge import each_layer
from headroles.analysis.setting import Setting
from headroles.errors import AnalysisError
from headroles.models import load_tokenizer
from headroles.paths import DEMO_MODEL
from headroles.roles import EXTENDED_ROLES, ROLES, Prompts
from headroles.scoring import mean_and_error
from headroles.store import categories
from headroles.texts import role_texts
from headroles.types import RoleScores, Sequences
from scripts import analyze_heads
from tests.families import byte_level_tokenizer

NEW = ("subword_merge", "long_prefix", "semantic_category", "brackets")


@pytest.fixture(scope="module")
def demo() -> Setting:
    tokenizer = load_tokenizer(str(DEMO_MODEL))
    probe = make_texts(tokenizer, n=4, seed=0)
    return Setting(load_bridge("demo"), tokenizer, probe, 0, lambda phase, count: None)


@pytest.fixture(scope="module")
def texts(demo) -> dict[str, cue_texts.CueTexts]:
    return {key: cue_texts.CUES[ROLES[key].measured_on](demo) for key in NEW}


def test_every_role_that_attention_shows_has_texts_and_a_count() -> None:
    for role in EXTENDED_ROLES.values():
        if role.from_attention:
            assert role.measured_on in cue_texts.CUES
    assert cue_texts.CUES.keys() == cue_texts.COUNTS.keys()


@pytest.mark.parametrize("key", NEW)
def test_a_text_has_places_for_its_role_and_the_control_has_the_same(key, texts) -> None:
    made, role = texts[key], ROLES[key]
    assert len(made.real) == len(made.control) == cue_texts.COUNTS[role.measured_on]
    real, control = role.cells(made.real), role.cells(made.control)
    assert torch.equal(real, control)
    assert bool(real.flatten(1).any(-1).all())


@pytest.mark.parametrize("key", NEW)
def test_without_its_cue_a_text_has_no_place_for_the_role(key, texts, demo) -> None:
    """Read as what they are, the tokens of the control predict (nearly) nothing there."""
    made, role = texts[key], ROLES[key]
    ids, lengths = made.control.sequences.token_ids, made.control.sequences.lengths
    rows = zip(ids.tolist(), lengths.tolist(), strict=True)
    read = tuple(
        attention_roles.cue_texts.token_texts(demo.tokenizer, row[:length]) for row, length in rows
    )
    left = role.cells(Prompts(made.control.sequences, read)) & role.cells(made.real)
    assert left.sum() <= 0.35 * role.cells(made.real).sum()
    if key != "subword_merge":  # random tokens are often pieces of words themselves
        assert left.sum() == 0


def test_a_control_differs_in_the_cue_alone(texts) -> None:
    def differ(key: str) -> torch.Tensor:
        real, control = (made.sequences for made in (texts[key].real, texts[key].control))
        assert torch.equal(real.lengths, control.lengths)
        other = real.token_ids != control.token_ids
        assert (other.sum(-1) > 0).all()
        return other

    cells = {key: ROLES[key].cells(texts[key].real) for key in NEW}
    words = cells["semantic_category"].any(-1) | cells["semantic_category"].any(-2)
    assert not (differ("semantic_category") & ~words).any()
    assert not (differ("brackets") & cells["brackets"].any(-1)).any()  # closing marks stay
    lengths = texts["long_prefix"].real.sequences.lengths
    for row, other in enumerate(differ("long_prefix")):
        size = cue_texts.MATCHES[row % len(cue_texts.MATCHES)]
        last = int(lengths[row]) - 1
        assert other.nonzero().flatten().tolist() == list(range(last - size + 1, last))


def test_each_text_of_longer_matches_has_one_long_and_three_short_ones(texts) -> None:
    made = texts["long_prefix"]
    long = ROLES["long_prefix"].cells(made.real)
    last = made.real.sequences.lengths - 1
    at_end = ROLES["induction"].cells(made.real)[torch.arange(len(last)), last]
    assert long.sum((-1, -2)).tolist() == [1] * len(long)
    assert at_end.sum(-1).tolist() == [cue_texts.COMPETING + 1] * len(long)
    places = [int((at_end[row] & long[row, last[row]]).int().argmax()) for row in range(len(long))]
    order = [int(at_end[row, :place].sum()) for row, place in enumerate(places)]
    assert sorted(set(order)) == [0, 1, 2]  # every place but the last, equally often
    assert len({order.count(which) for which in (0, 1, 2)}) == 1


def test_a_tokenizer_without_such_words_is_told_with_the_reason(demo) -> None:
    bare = Setting(demo.bridge, byte_level_tokenizer(), demo.probe, 0, demo.advance)
    with pytest.raises(AnalysisError, match="single tokens"):
        cue_texts.categories(bare)


@pytest.mark.parametrize("key", NEW)
def test_a_score_is_the_mean_that_a_loop_over_the_cells_finds(key, texts, demo) -> None:
    found = attention_roles.by_attention(demo, [key])[key]
    made, role = texts[key], ROLES[key]
    cells = role.cells(made.real)
    among = role.among(made.real) if role.among else None
    layer, head, by_text, without = 1, 3, [], []
    for prompts, values in ((made.real, by_text), (made.control, without)):
        for row in range(len(prompts)):
            length = int(prompts.sequences.lengths[row])
            patterns: list[torch.Tensor] = []
            each_layer(
                demo.bridge,
                prompts.sequences.token_ids[row : row + 1, :length],
                lambda at, pattern, visible, patterns=patterns: patterns.append(pattern[0].clone()),
            )
            rows = [q for q in range(length) if 0 < cells[row, q].sum() < q + 1]
            mass = sum(float(patterns[layer][head, q][cells[row, q, :length]].sum()) for q in rows)
            whole = float(len(rows))
            if among is not None:
                work = [float(patterns[layer][head, q][among[row, q, :length]].sum()) for q in rows]
                whole = max(sum(work), 0.02 * len(rows))
            values.append(mass / whole)
    for values, mean, error in (
        (by_text, found.mean, found.standard_error),
        (without, found.control, found.control_error),
    ):
        assert float(mean[layer, head]) == pytest.approx(np.mean(values), abs=1e-5)
        expected = np.std(values, ddof=1) / len(values) ** 0.5
        assert float(error[layer, head]) == pytest.approx(expected, abs=1e-5)


def test_the_curve_by_length_of_match_stands_beside_the_score(demo) -> None:
    found = attention_roles.by_attention(demo, ["long_prefix"])["long_prefix"]
    assert list(found.factors) == [f"match of {size} tokens" for size in cue_texts.MATCHES]
    mean, _ = mean_and_error(torch.stack(list(found.factors.values())))
    torch.testing.assert_close(mean, found.mean, atol=1e-5, rtol=0)  # as many texts of each length


# ------------------------------------------------------------------ retrieval


@pytest.fixture(scope="module")
def hay(demo) -> retrieval.Haystacks:
    return retrieval.haystacks(demo)


def test_a_needle_is_asked_for_behind_its_own_beginning(hay, demo) -> None:
    assert len(hay) == retrieval.N_TEXTS
    for row in range(len(hay)):
        asked = (hay.wanted[row] >= 0).nonzero().flatten().tolist()
        assert asked == list(range(asked[0], asked[0] + len(asked)))
        assert asked[-1] == int(hay.real.lengths[row]) - 2
        for query in asked:
            keys = hay.cells[row, query].nonzero().flatten()
            assert (hay.real.token_ids[row, keys] == hay.wanted[row, query]).all()
            assert (hay.control.token_ids[row, keys] != hay.wanted[row, query]).float().mean() == 1
            assert hay.real.token_ids[row, query + 1] == hay.wanted[row, query]
            assert int(keys.max()) < asked[0]


def test_scores_equal_the_papers_count_over_plain_generation(hay, demo) -> None:
    """Token by token through transformers: the first guess, and every head's top key."""
    model = AutoModelForCausalLM.from_pretrained(DEMO_MODEL, attn_implementation="eager").eval()
    said = retrieval._Pass(demo, hay, hay.real)
    row = int(said.right.argmax())
    assert said.right[row] >= 0.5
    ids = hay.real.token_ids[row, : int(hay.real.lengths[row])]
    needle = hay.cells[row].any(0)
    copies = torch.zeros(demo.shape)
    asked = (hay.wanted[row] >= 0).nonzero().flatten().tolist()
    for query in asked:
        with torch.inference_mode():
            out = model(ids[None, : query + 1], output_attentions=True)
        guess = int(out.logits[0, -1].argmax())
        if guess != int(hay.wanted[row, query]):
            continue
        for layer, attention in enumerate(out.attentions):
            for head in range(demo.shape[1]):
                top = int(attention[0, head, -1].argmax())
                copies[layer, head] += bool(needle[top]) and int(ids[top]) == guess
    torch.testing.assert_close(said.scores[row], copies / len(asked))
    assert said.scores[row].max() > 0.5


def test_a_head_that_copies_scores_1_and_one_that_looks_elsewhere_0() -> None:
    cells = torch.zeros(1, 4, 4, dtype=torch.bool)
    cells[0, 2, 1] = cells[0, 3, 2] = True
    copies, spread, rests = torch.eye(4), torch.ones(4, 4).tril(), torch.zeros(4, 4)
    copies = copies.roll(-1, 1) * 0 + torch.tensor(
        [[1.0, 0, 0, 0], [1, 0, 0, 0], [0.3, 0.4, 0.3, 0], [0, 0.1, 0.5, 0.4]]
    )
    rests[:, 0] = 1
    found = retrieval.copied(torch.stack([copies, spread, rests])[None], cells)
    assert found[0, 0].tolist() == [False, False, True, True]
    assert not found[0, 1:].any()


def test_a_model_that_finds_no_needle_is_told_with_the_count(demo, monkeypatch) -> None:
    monkeypatch.setattr(retrieval, "FOUND", 1.01)
    with pytest.raises(AnalysisError, match="finds 0 of 8 needles, in 0 of 24 texts"):
        retrieval.measure_retrieval(demo)


def test_texts_of_one_needle_are_one_value() -> None:
    """Three texts of one needle, one of another, by hand; a text without a number is left out."""
    scores = torch.tensor([0.2, 0.4, 0.6, 1.0, torch.nan])[:, None, None]  # [n layer head]
    needle = torch.tensor([3, 3, 3, 7, 7])
    values = retrieval.over_needles(scores, needle)
    assert values.flatten().tolist() == pytest.approx([0.4, 1.0])
    mean, error = mean_and_error(values)
    assert float(mean) == pytest.approx(0.7)  # over the four texts .55
    assert float(error) == pytest.approx(0.3)  # .6 / 2; over the four texts .171


def test_the_error_is_over_needles_not_over_their_texts(demo, hay) -> None:
    """Needle by needle, text by text in a loop, beside what is measured."""
    said = retrieval._Pass(demo, hay, hay.real)
    without = retrieval._Pass(demo, hay, hay.control, own_guess=False)
    found = retrieval.measure_retrieval(demo)
    layer, head, by_needle, by_control = 1, 3, {}, {}
    for row in range(len(hay)):
        assert int(hay.needle[row]) == row // len(role_texts.PLACES)
        if said.right[row] >= 0.5:
            place = int(hay.needle[row])
            by_needle.setdefault(place, []).append(float(said.scores[row, layer, head]))
            by_control.setdefault(place, []).append(float(without.scores[row, layer, head]))
    texts = sum(map(len, by_needle.values()))
    assert found.n == len(by_needle) < texts
    for by_text, mean, error in (
        (by_needle, found.mean, found.standard_error),
        (by_control, found.control, found.control_error),
    ):
        values = [np.mean(some) for some in by_text.values()]
        assert float(mean[layer, head]) == pytest.approx(np.mean(values), abs=1e-5)
        expected = np.std(values, ddof=1) / len(values) ** 0.5
        assert float(error[layer, head]) == pytest.approx(expected, abs=1e-5)


def test_many_texts_of_two_needles_make_no_score(demo, monkeypatch) -> None:
    class Two(retrieval._Pass):
        def __init__(self, setting, hay, batch, **choices) -> None:
            super().__init__(setting, hay, batch, **choices)
            self.right = (hay.needle < 2).float()

    monkeypatch.setattr(retrieval, "_Pass", Two)
    with pytest.raises(AnalysisError, match="finds 2 of 8 needles, in 6 of 24 texts"):
        retrieval.measure_retrieval(demo)


def test_a_context_that_is_too_short_is_told(demo, monkeypatch) -> None:
    monkeypatch.setattr(demo.bridge.cfg, "n_ctx", 64)
    with pytest.raises(AnalysisError, match="reads 64 tokens"):
        retrieval.haystacks(demo)


def test_the_induction_heads_of_the_bundled_model_retrieve(demo) -> None:
    found = retrieval.measure_retrieval(demo)
    assert isinstance(found, RoleScores)
    assert found.mean[1].topk(7).values.min() > 0.4
    assert found.mean[[0, 2, 3]].max() < 0.1
    assert (found.control[1] <= found.mean[1]).all()


def test_padding_changes_nothing(hay, demo) -> None:
    longest = int(hay.real.lengths.argmax())
    short = int(hay.real.lengths.argmin())
    length = int(hay.real.lengths[short])
    alone = retrieval.Haystacks(
        Sequences(hay.real.token_ids[short : short + 1, :length], torch.tensor([length])),
        Sequences(hay.control.token_ids[short : short + 1, :length], torch.tensor([length])),
        hay.cells[short : short + 1, :length, :length],
        hay.wanted[short : short + 1, :length],
        hay.needle[short : short + 1],
    )
    rows = torch.tensor([short, longest])
    both = retrieval.Haystacks(
        Sequences(hay.real.token_ids[rows], hay.real.lengths[rows]),
        Sequences(hay.control.token_ids[rows], hay.control.lengths[rows]),
        hay.cells[rows],
        hay.wanted[rows],
        hay.needle[rows],
    )
    one, two = (retrieval._Pass(demo, some, some.real) for some in (alone, both))
    torch.testing.assert_close(one.scores[0], two.scores[0])
    torch.testing.assert_close(one.attention[0], two.attention[0], atol=1e-5, rtol=1e-4)


# ------------------------------------------------------------------ only what is missing


@pytest.mark.slow
def test_missing_roles_are_added_as_a_whole_analysis_has_them(tmp_path) -> None:
    path = tmp_path / "out.json"
    common = ["attn-only-1l-tiny", "--sequences", "4", "--out", str(path)]
    assert analyze_heads.main(common) == 0
    whole = categories.read_entry("attn-only-1l-tiny", path)
    gone = [*NEW, "retrieval"]
    parts = ("categories", "all_scores", "standard_errors", "controls", "factors", "hints")
    bare = whole.model_copy(
        update={
            name: {key: part for key, part in getattr(whole, name).items() if key not in gone}
            for name in parts
        }
    )
    assert missing(bare) == [key for key in EXTENDED_ROLES if key in gone]
    assert with_missing_roles(bare, "attn-only-1l-tiny") == whole
    categories.write_entry(bare, path)
    assert analyze_heads.main([*common, "--only-missing"]) == 0
    assert categories.read_entry("attn-only-1l-tiny", path) == whole
    assert analyze_heads.main([*common, "--only-missing"]) == 0  # nothing left to do


def test_nothing_is_added_to_numbers_of_another_version() -> None:
    old = categories.read_entry("demo").model_copy(update={"definitions_version": 1})
    with pytest.raises(AnalysisError, match="version 1"):
        with_missing_roles(old, "demo")
