"""The three functions that users call, and when a head counts as active."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import headroles
from headroles import head_detection
from headroles.errors import (
    CategoriesBrokenError,
    CategoriesMissingError,
    HeadrolesError,
    ShapeError,
    UnknownHeadError,
    UnknownRoleError,
)
from headroles.paths import ROOT
from headroles.roles import BASIC_ROLES, SCORED_ROLES, get_role
from headroles.scoring import RoleActivation
from headroles.store import categories
from headroles.types import Activation, Encoding, Head, PromptRun, Verdict
from headroles.verdicts import PromptScores, literature_entry, score_prompt
from headroles.verdicts.prompt import (
    DEFAULT_THRESHOLDS,
    active_heads,
    judge,
    judge_as,
    thresholds_of,
)
from tests.entries import HEADS, LAYERS, entry
from tests.facts import says
from tests.test_scoring import even, perfect, repeats, self_attender, sink

REPEATED = repeats(3)
"""BOS A B C A B C A B C: ten tokens."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A categories file for "tiny": L1H2 and L1H1 lead every role, with thresholds of .5."""
    path = tmp_path / "head_categories.json"
    categories.write_entry(entry("tiny"), path)
    return path


def planted(ids: list[int], **heads: torch.Tensor) -> torch.Tensor:
    """[layer head query key]: the given heads (``L1H2=...``), every other one rests."""
    attention = sink(len(ids)).repeat(LAYERS, HEADS, 1, 1)
    for label, pattern in heads.items():
        attention[Head.parse(label)] = pattern
    return attention


def states(ids: list[int], pattern: torch.Tensor) -> dict[str, str]:
    """The state of a head with this pattern in every role, at a threshold of .5."""
    scores = score_prompt(planted(ids, L1H2=pattern), ids)
    return {key: judge(Head(1, 2), key, scores, 0.5).state for key in BASIC_ROLES}


# ------------------------------------------------------------------ the public face


def test_load_head_categories_gives_plain_data_of_the_documented_shape(path: Path) -> None:
    loaded = headroles.load_head_categories("tiny", path)
    assert (loaded["model_name"], loaded["num_layers"], loaded["num_heads"]) == ("tiny", 2, 3)
    assert loaded["analysis_date"] == "2026-01-31"
    assert loaded["categories"]["induction"]["requires_repetition"] is True
    first = loaded["categories"]["induction"]["top_heads"][0]
    assert (first["layer"], first["head"], first["score"]) == (1, 2, 1.0)
    assert loaded["all_scores"]["induction"] == [[0.125, 0.25, 0.5], [0.75, 0.875, 1.0]]


def test_what_a_caller_does_to_the_data_stays_with_the_caller(path: Path) -> None:
    headroles.load_head_categories("tiny", path)["all_scores"]["induction"][0][0] = 99
    assert headroles.load_head_categories("tiny", path)["all_scores"]["induction"][0][0] == 0.125


def test_load_head_categories_says_what_is_missing_or_broken(path: Path) -> None:
    with pytest.raises(CategoriesMissingError, match="analyze_heads --model gpt2"):
        headroles.load_head_categories("gpt2", path)
    broken = path.with_name("broken.json")
    broken.write_text("{")
    with pytest.raises(CategoriesBrokenError):
        headroles.load_head_categories("tiny", str(broken))


def test_a_file_that_goes_bad_leaves_its_last_good_content(path: Path) -> None:
    before = headroles.load_head_categories("tiny", path)
    path.write_text("{")
    assert headroles.load_head_categories("tiny", path) == before
    thresholds, calibrated = thresholds_of("tiny", path)
    assert calibrated
    assert thresholds["induction"] == 0.5  # the entry's; the default would be .4
    run = {"attention": torch.eye(3).expand(2, 3, 3, 3), "token_ids": [0, 1, 2]}
    summary = headroles.get_active_head_summary(run, "tiny", path=path)
    assert len(summary["induction"]) == 2


def test_verify_head_activation_takes_one_head_or_the_whole_model() -> None:
    pattern = perfect("induction", REPEATED)
    attention = planted(REPEATED, L1H2=pattern)
    for tokens in (REPEATED, tuple(REPEATED), torch.tensor(REPEATED)):
        one = headroles.verify_head_activation(pattern, tokens, Head(1, 2), "induction")
        assert one == pytest.approx(1, abs=1e-6)
        assert isinstance(one, float)
        info = {"layer": 1, "head": 2, "score": 0.9}  # as it stands in top_heads
        assert headroles.verify_head_activation(attention, tokens, info, "induction") == one
    assert headroles.verify_head_activation(attention, REPEATED, Head(0, 0), "induction") == 0
    assert headroles.verify_head_activation(pattern, REPEATED, Head(0, 0), "other") == 0


def test_verify_head_activation_refuses_what_does_not_fit() -> None:
    attention = planted(REPEATED)
    with pytest.raises(UnknownHeadError, match=r"'L2H0'.*layers 0 to 1 and heads 0 to 2"):
        headroles.verify_head_activation(attention, REPEATED, Head(2, 0), "induction")
    with pytest.raises(UnknownHeadError):
        headroles.verify_head_activation(attention, REPEATED, Head(0, -1), "induction")
    with pytest.raises(ShapeError):
        headroles.verify_head_activation(attention[0], REPEATED, Head(0, 0), "induction")
    with pytest.raises(ShapeError):
        headroles.verify_head_activation(attention[0, 0], REPEATED[:-1], Head(0, 0), "induction")
    with pytest.raises(UnknownRoleError):
        headroles.verify_head_activation(attention[0, 0], REPEATED, Head(0, 0), "inductive")


def test_the_summary_judges_every_listed_head(path: Path) -> None:
    pattern = perfect("induction", REPEATED)
    data = {"attention": planted(REPEATED, L1H2=pattern), "token_ids": REPEATED}
    summary = headroles.get_active_head_summary(data, "tiny", path=path)
    assert list(summary) == list(BASIC_ROLES)
    first, second = summary["induction"]
    assert (first["layer"], first["head"], first["label"]) == (1, 2, "L1H2")
    assert (first["score"], first["standard_error"], first["threshold"]) == (1.0, 0.0, 0.5)
    assert first["activation_score"] == pytest.approx(1, abs=1e-6)
    # rows 4..9: rows 4, 5, 6 have one target, rows 7, 8, 9 two; a share of all but column 0
    mass = 1 / 5 + 1 / 6 + 1 / 7 + 2 / 8 + 2 / 9 + 2 / 10
    chance = mass / (4 / 5 + 5 / 6 + 6 / 7 + 7 / 8 + 8 / 9 + 9 / 10)
    assert (first["chance"], first["rows"]) == (pytest.approx(chance), 6)
    assert (first["state"], first["is_active"]) == ("active", True)
    assert first["roles"] == [role.key for role in SCORED_ROLES]
    assert says(first["reason"], "active", "100%", "23%")
    assert (second["label"], second["state"], second["is_active"]) == ("L1H1", "quiet", False)
    assert second["resting_share"] == 1
    assert says(second["reason"], "resting", "100%")
    assert [head["label"] for head in summary["other"]] == ["L0H0"]


def test_the_summary_takes_a_prompt_run(path: Path) -> None:
    attention = planted(REPEATED, L1H2=perfect("induction", REPEATED))
    length = len(REPEATED)
    encoding = Encoding(tuple(REPEATED), ("x",) * length, "x", False, length)
    run = PromptRun("tiny", "x", encoding, attention, ())
    plain = {"attention": attention, "token_ids": REPEATED, "tokens": ("x",) * length}
    assert headroles.get_active_head_summary(
        run, "tiny", path=path
    ) == headroles.get_active_head_summary(plain, "tiny", path=path)


def test_the_summary_refuses_another_models_attention(path: Path) -> None:
    wrong = planted(REPEATED)[:, :2]
    with pytest.raises(ShapeError, match=r"attention of tiny.*\[2, 3, query, key\].*\[2, 2, 10"):
        headroles.get_active_head_summary(
            {"attention": wrong, "token_ids": REPEATED}, "tiny", path=path
        )
    with pytest.raises(ShapeError, match="'token_ids'"):
        headroles.get_active_head_summary({"attention": wrong}, "tiny", path=path)


# ------------------------------------------------------------------ states


@pytest.mark.parametrize("role", [role.key for role in SCORED_ROLES if role.has_cells])
def test_a_perfect_head_is_active_in_its_role(role: str) -> None:
    assert states(REPEATED, perfect(role, REPEATED))[role] == "active"


@pytest.mark.parametrize("role", [role.key for role in SCORED_ROLES])
def test_an_even_head_is_only_diffuse(role: str) -> None:
    expected = "active" if role == "diffuse" else "quiet"
    assert states(REPEATED, even(len(REPEATED)))[role] == expected


@pytest.mark.parametrize("role", [role.key for role in SCORED_ROLES])
def test_a_resting_head_is_only_positional(role: str) -> None:
    expected = "active" if role == "positional" else "quiet"
    assert states(REPEATED, sink(len(REPEATED)))[role] == expected


def test_a_self_attender_is_nothing() -> None:
    assert set(states(REPEATED, self_attender(len(REPEATED))).values()) == {"quiet"}


def test_without_a_repetition_two_roles_do_not_apply() -> None:
    ids = list(range(10))
    got = states(ids, even(10))
    assert got["induction"] == got["duplicate_token"] == "not_applicable"
    assert got["previous_token"] == "quiet"
    scores = score_prompt(planted(ids), ids)
    assert judge(Head(0, 0), "induction", scores, 0.5).reason == get_role("induction").asleep


def test_a_short_prompt_is_too_short_to_tell() -> None:
    ids = [0, 1, 2, 3, 4]  # five tokens; it takes six
    got = states(ids, perfect("previous_token", ids))
    assert got["previous_token"] == got["diffuse"] == got["positional"] == "too_short"
    scores = score_prompt(planted(ids), ids)
    reason = judge(Head(0, 0), "previous_token", scores, 0.5).reason
    assert says(reason, "5 tokens", "6")
    assert (
        states([0, 1, 2, 3, 4, 5], perfect("previous_token", [0, 1, 2, 3, 4, 5]))["previous_token"]
        == "active"
    )


def test_a_single_repeat_is_too_little_to_tell() -> None:
    ids = [0, 1, 2, 3, 4, 5, 1]  # one row, q=6, with a copy
    got = states(ids, perfect("induction", ids))
    assert got["induction"] == got["duplicate_token"] == "too_short"
    scores = score_prompt(planted(ids), ids)
    reason = judge(Head(0, 0), "induction", scores, 0.5).reason
    assert says(reason, "only one", "2")


def test_over_the_threshold_but_not_over_chance_is_quiet() -> None:
    """BOS A B A B A B A B: the copies are over a third of a row, and an even head gets that."""
    ids = [0] + [7, 8] * 4
    scores = score_prompt(planted(ids, L1H2=even(9)), ids)
    verdict = judge(Head(1, 2), "duplicate_token", scores, 0.35)
    # rows 3..8: one copy of 4 and 5 columns, two of 6 and 7, three of 8 and 9
    mass = 1 / 4 + 1 / 5 + 2 / 6 + 2 / 7 + 3 / 8 + 3 / 9
    chance = mass / (3 / 4 + 4 / 5 + 5 / 6 + 6 / 7 + 7 / 8 + 8 / 9)
    assert verdict.activation.value == pytest.approx(chance) == verdict.activation.chance
    assert verdict.activation.value > 0.35
    assert verdict.state == "quiet"
    assert says(verdict.reason, "chance", "36%")


def judged(role: str, activation: Activation, threshold: float) -> Verdict:
    """A head with this activation, on a prompt that is long enough."""
    scores = score_prompt(planted(REPEATED), REPEATED)
    return judge_as(get_role(role), Head(1, 2), activation, scores, threshold)


def test_where_chance_is_over_a_half_nothing_can_be_told() -> None:
    """On ". . . . . ." an even spread gets 56% of a delimiter head: a perfect one proves little."""
    verdict = judged("delimiter", Activation(1.0, 0.56, 6), 0.4)
    assert verdict.state == "too_short"
    assert "would already score 56%" in verdict.reason
    laid = RoleActivation(torch.tensor([[1.0]]), chance=0.56, rows=6)
    assert not active_heads(get_role("delimiter"), laid, 0.4, num_tokens=10).any()


@pytest.mark.parametrize(("role", "lift"), [("previous_token", 0.25), ("induction", 0.35)])
def test_clearly_above_chance_is_a_part_of_the_way(role: str, lift: float) -> None:
    assert get_role(role).min_lift == lift
    for share, state in ((lift - 0.01, "quiet"), (lift + 0.01, "active")):
        value = 0.4 + share * 0.6
        assert judged(role, Activation(value, 0.4, 6), 0.45).state == state
        laid = RoleActivation(torch.tensor([[value]]), chance=0.4, rows=6)
        together = active_heads(get_role(role), laid, 0.45, num_tokens=10)
        assert bool(together) == (state == "active")


def test_percentages_of_one_reason_are_of_one_set_of_rows() -> None:
    """BOS A B C D A B C: rows 5, 6 and 7 repeat. The head rests on the others, and little there."""
    ids = [0, 7, 8, 9, 4, 7, 8, 9]
    pattern = sink(8)
    for q in (5, 6, 7):
        pattern[q] = 0
        pattern[q, [0, q - 3, q]] = torch.tensor([0.2, 0.2, 0.6])  # q-3 follows the copy at q-4
    tokens = ["<s>", "a", " cat", " sat", ".", "a", " cat", " sat"]
    scores = score_prompt(planted(ids, L1H2=pattern), ids, tokens=tokens)
    assert scores.resting_of(Head(1, 2)) == pytest.approx((4 + 0.6) / 7)  # over the whole prompt
    verdict = judge(Head(1, 2), "induction", scores, 0.4)
    # of the 80% that do not rest at these three places, a quarter goes where the role says; an
    # even spread gives (1/6 + 1/7 + 1/8) / (5/6 + 6/7 + 7/8) = 17%
    assert verdict.reason == (
        "Each token looks mostly at itself (60%). Of the 80% of its attention that does not rest, "
        "only 25% goes to the token that followed the earlier copy (an even spread would give 17%)."
    )


def test_a_reason_names_the_clearest_place() -> None:
    ids = [0, 7, 8, 9, 4, 7, 8, 9]
    pattern = sink(8)
    pattern[5, [0, 2]] = torch.tensor([0.4, 0.6])
    pattern[6, [0, 3]] = torch.tensor([0.1, 0.9])
    tokens = ["<s>", "a", " cat", " sat", ".", "a", " cat", " sat"]
    scores = score_prompt(planted(ids, L1H2=pattern), ids, tokens=tokens)
    verdict = judge(Head(1, 2), "induction", scores, 0.4)
    assert verdict.is_active
    assert verdict.reason == (
        "Active: of the 50% of its attention that does not rest, 100% goes to the token that "
        "followed the earlier copy (an even spread would give 17%). Clearest at “·cat” (2nd): 90% "
        "of all its attention there."
    )
    quiet = judge(Head(1, 1), "induction", scores, 0.4)
    assert quiet.reason == "Resting: 100% of its attention is on the first token."


def test_over_the_threshold_but_not_clear_says_what_would_be() -> None:
    ids = [0, 7, 8, 9, 4, 7, 8, 9]
    pattern = sink(8)
    for q in (5, 6, 7):
        pattern[q] = 0
        pattern[q, [0, q - 3, q]] = torch.tensor([0.2, 0.352, 0.448])  # .352 / .8 = .44
    verdict = judge(Head(1, 2), "induction", score_prompt(planted(ids, L1H2=pattern), ids), 0.4)
    # chance is 17.0%: (1/6 + 1/7 + 1/8) / (5/6 + 6/7 + 7/8); from there .35 of the way to 1 is 45%
    assert (verdict.state, verdict.is_active) == ("quiet", False)
    assert verdict.reason.startswith("Not clearly above chance")
    assert verdict.reason.endswith(" On this prompt it would need 46%; it has 44%.")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        (sink(10), "Resting: 100% of its attention is on the first token."),
        (self_attender(10), "Each token looks mostly at itself (100%)."),
        (perfect("previous_token", REPEATED), "Busy elsewhere: 100% goes to the token just before"),
        (even(10), "It looks elsewhere."),
    ],
    ids=["resting", "itself", "busy", "elsewhere"],
)
def test_a_quiet_head_says_what_it_does_instead(pattern: torch.Tensor, reason: str) -> None:
    scores = score_prompt(planted(REPEATED, L1H2=pattern), REPEATED)
    assert judge(Head(1, 2), "duplicate_token", scores, 0.5).reason.startswith(reason)


def test_a_head_near_chance_is_told_what_it_takes() -> None:
    """Rows 4 to 9 repeat, with 1, 1, 1, 2, 2 and 2 cells: an even spread gives them
    (1/5 + 1/6 + 1/7 + 2/8 + 2/9 + 2/10) / (4/5 + 5/6 + 6/7 + 7/8 + 8/9 + 9/10) = .229 of what does
    not rest, and .229 + .35 * .771 = .499."""
    scores = score_prompt(planted(REPEATED, L1H2=even(len(REPEATED))), REPEATED)
    verdict = judge(Head(1, 2), "induction", scores, 0.1)
    assert verdict.activation.value == pytest.approx(0.22927, abs=1e-5)
    assert verdict.state == "quiet"
    assert verdict.reason.startswith("Not clearly above chance: ")
    assert verdict.reason.endswith("On this prompt it would need 50%; it has 23%.")


def test_the_threshold_itself_is_enough() -> None:
    ids = list(range(9))
    # Rows 2..8 put exactly half on the token before: half the patterns are exact in binary.
    pattern = (perfect("previous_token", ids) + self_attender(9)) / 2
    scores = score_prompt(planted(ids, L1H2=pattern), ids)
    value = judge(Head(1, 2), "previous_token", scores, 0.5).activation.value
    assert judge(Head(1, 2), "previous_token", scores, value).is_active
    assert not judge(Head(1, 2), "previous_token", scores, value + 1e-6).is_active


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=12),
    st.integers(0, 2**16),
    st.floats(0, 1),
)
def test_the_map_and_the_cards_never_disagree(ids: list[int], seed: int, threshold: float) -> None:
    """``active_heads`` (all heads at once) says what ``judge`` (one head) says."""
    generator = torch.Generator().manual_seed(seed)
    length = len(ids)
    logits = 5 * torch.randn(LAYERS, HEADS, length, length, generator=generator)
    blind = torch.ones(length, length, dtype=torch.bool).triu(1)
    scores = score_prompt(logits.masked_fill(blind, -torch.inf).softmax(-1), ids)
    for role in SCORED_ROLES:
        laid = scores.activations[role.key]
        # a drawn threshold, and one that some head meets to the last bit
        for limit in (threshold, laid.of(0, 0).value):
            together = active_heads(role, laid, limit, num_tokens=length)
            for layer in range(LAYERS):
                for head in range(HEADS):
                    verdict = judge(Head(layer, head), role.key, scores, limit)
                    assert bool(together[layer, head]) == verdict.is_active


def test_the_map_and_the_cards_agree_on_a_value_just_below_the_threshold() -> None:
    """.7 in single precision is .69999999, below .7; rounding .7 the same way would hide that."""
    laid = RoleActivation(torch.tensor([[0.7]]), chance=0.1, rows=9)
    together = active_heads(get_role("positional"), laid, 0.7, num_tokens=10)
    scores = PromptScores({"positional": laid}, torch.zeros(1, 1), num_tokens=10)
    assert not judge(Head(0, 0), "positional", scores, 0.7).is_active
    assert not together.any()


# ------------------------------------------------------------------ thresholds


def test_thresholds_come_from_the_file_role_by_role(tmp_path: Path) -> None:
    path = tmp_path / "categories.json"
    one = entry("tiny").model_dump()
    one["categories"]["induction"]["threshold"] = 0.0  # low, but calibrated
    del one["categories"]["diffuse"]["threshold"]
    categories.write_entry(categories.ModelEntry.model_validate(one), path)
    thresholds, calibrated = thresholds_of("tiny", path)
    assert calibrated
    assert list(thresholds) == [role.key for role in SCORED_ROLES]
    assert thresholds["induction"] == 0.0
    assert thresholds["diffuse"] == DEFAULT_THRESHOLDS["diffuse"]
    assert thresholds["positional"] == 0.5


def test_a_model_without_an_entry_gets_provisional_thresholds(path: Path) -> None:
    assert thresholds_of("gpt2", path) == (DEFAULT_THRESHOLDS, False)
    assert set(DEFAULT_THRESHOLDS) == {role.key for role in SCORED_ROLES}


# ------------------------------------------------------------------ heads from the literature


def gpt2_run(label: str) -> dict[str, object]:
    """GPT-2's shape on ten tokens: one head looks at the token before, all others at the first."""
    attention = torch.zeros(12, 12, 10, 10)
    attention[..., 0] = 1
    head = Head.parse(label)
    attention[head] = torch.eye(10).roll(1, 0)
    attention[head][0] = torch.eye(10)[0]
    return {"attention": attention, "token_ids": list(range(10))}


def test_without_an_entry_the_heads_of_the_papers_are_judged(path: Path) -> None:
    summary = headroles.get_active_head_summary(gpt2_run("L4H11"), "gpt2", path=path)
    assert list(summary) == ["previous_token", "induction", "duplicate_token"]
    rows = {row["label"]: row for row in summary["previous_token"]}
    assert list(rows) == ["L2H2", "L4H11"]  # two sources name L4H11: it stands here once
    assert rows["L4H11"]["is_active"]
    assert rows["L4H11"]["activation_score"] == pytest.approx(1)
    assert not rows["L2H2"]["is_active"]
    assert "2211.00593" in rows["L4H11"]["source"]
    assert "TransformerLens" in rows["L4H11"]["source"]
    assert all(row["score"] is None for rows in summary.values() for row in rows)
    assert all(row["state"] == "not_applicable" for row in summary["induction"])
    basis = {row["label"]: row["basis"] for row in summary["induction"]}
    assert (basis["L5H9"], basis["L5H1"], basis["L5H5"]) == ("function", "pattern", "pattern")


def test_an_entry_goes_before_the_papers_and_without_both_there_is_the_sentence(path: Path) -> None:
    categories.write_entry(entry("gpt2"), path)
    run = {"attention": torch.eye(3).expand(2, 3, 3, 3), "token_ids": [0, 1, 2]}
    rows = headroles.get_active_head_summary(run, "gpt2", path=path)["induction"]
    assert [row["score"] for row in rows] == [1.0, 0.875]
    assert literature_entry("demo") == {}
    with pytest.raises(CategoriesMissingError):
        headroles.get_active_head_summary(run, "demo", path=path)


def test_heads_of_a_paper_that_the_model_does_not_have_are_an_error(path: Path) -> None:
    run = {"attention": torch.eye(3).expand(2, 3, 3, 3), "token_ids": [0, 1, 2]}
    with pytest.raises(UnknownHeadError):
        headroles.get_active_head_summary(run, "gpt2", path=path)


# ------------------------------------------------------------------ what importing costs


def _modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running some code."""
    shown = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return {name.partition(".")[0] for name in shown.stdout.splitlines()[-1].split()}


def test_naming_roles_and_models_loads_no_heavy_library() -> None:
    loaded = _modules_after("import headroles, headroles.roles, headroles.models, headroles.types")
    assert not loaded & {"torch", "transformers", "pydantic", "pyvene", "numpy", "streamlit"}


@pytest.mark.slow
def test_the_three_functions_load_torch_and_nothing_of_the_other_half(path: Path) -> None:
    loaded = _modules_after(f"""
import headroles, torch
headroles.load_head_categories("tiny", {str(path)!r})
ids = list(range(10))
attention = torch.eye(10).repeat({LAYERS}, {HEADS}, 1, 1)
headroles.verify_head_activation(attention, ids, {{"layer": 0, "head": 0}}, "induction")
data = {{"attention": attention, "token_ids": ids}}
headroles.get_active_head_summary(data, "tiny", path={str(path)!r})
""")
    assert "torch" in loaded
    assert not loaded & {"transformer_lens", "streamlit", "pyvene", "transformers", "altair"}


def test_the_face_of_the_package_names_what_it_has() -> None:
    assert set(headroles.__all__) <= set(dir(headroles))
    assert headroles.load_head_categories is head_detection.load_head_categories
    with pytest.raises(AttributeError, match="load_categories"):
        _ = headroles.load_categories


def test_the_reason_of_a_quiet_diffuse_head_is_a_sentence() -> None:
    from headroles.verdicts import judge, score_prompt

    attention = torch.eye(12)[None, None]  # every token looks at itself
    verdict = judge(Head(0, 0), "diffuse", score_prompt(attention, range(12)), 0.9)
    assert verdict.state == "quiet"
    assert verdict.reason.endswith("The evenness of its attention is only 0%.")


# ------------------------------------------------------------------ attention from other programs


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16])
def test_attention_may_hold_any_kind_of_numbers(kind: torch.dtype, path: Path) -> None:
    pattern, place = perfect("induction", REPEATED), {"layer": 0, "head": 0}
    found = headroles.verify_head_activation(pattern.to(kind), REPEATED, place, "induction")
    assert found == pytest.approx(1)
    whole = planted(REPEATED, L1H2=pattern)
    data = {"attention": whole.to(kind), "token_ids": torch.tensor(REPEATED), "sight": None}
    rows = headroles.get_active_head_summary(data, "tiny", path=path)["induction"]
    assert rows[0]["is_active"]
    data = {"attention": whole.double().numpy(), "token_ids": REPEATED, "tokens": None}
    assert headroles.get_active_head_summary(data, "tiny", path=path)["induction"] == rows


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_attention_that_is_no_number_is_no_quiet_head(value: float, path: Path) -> None:
    whole = planted(REPEATED)
    whole[0, 1, 3, 2] = value
    for act in (
        lambda: headroles.verify_head_activation(whole, REPEATED, Head(0, 1), "diffuse"),
        lambda: headroles.get_active_head_summary(
            {"attention": whole, "token_ids": REPEATED}, "tiny", path=path
        ),
    ):
        with pytest.raises(headroles.HeadrolesError, match="NaN or infinity"):
            act()


def test_one_mask_may_be_given_as_it_is() -> None:
    near = torch.ones(10, 10).tril().bool().triu(-3)
    pattern = near / near.sum(-1, keepdim=True)
    for attention in (pattern, pattern.repeat(1, 1, 1, 1)):
        even_in_sight = headroles.verify_head_activation(
            attention, REPEATED, Head(0, 0), "diffuse", sight=near
        )
        assert even_in_sight == pytest.approx(1)


@pytest.mark.parametrize(
    "kind",
    [
        lambda weights: weights.double(),
        lambda weights: weights.half(),
        lambda weights: weights.bfloat16(),
        lambda weights: weights.numpy().astype("float64"),
        lambda weights: weights.tolist(),
        lambda weights: list(weights),
        lambda weights: weights.clone().requires_grad_(),
    ],
    ids=["64 bits", "half", "bfloat16", "numpy", "numbers", "layers", "gradient"],
)
@pytest.mark.parametrize("ids", [list, torch.tensor, lambda ids: torch.tensor([ids]), tuple])
def test_attention_and_ids_of_any_kind_give_the_same(path: Path, kind, ids) -> None:
    attention = planted(REPEATED, L1H2=perfect("induction", REPEATED))
    data = {"attention": kind(attention), "token_ids": ids(REPEATED)}
    (first, *_) = headroles.get_active_head_summary(data, "tiny", path=path)["induction"]
    assert (first["label"], first["state"]) == ("L1H2", "active")
    assert first["activation_score"] == pytest.approx(1.0, abs=0.01)
    score = headroles.verify_head_activation(
        kind(attention), ids(REPEATED), Head(1, 2), "induction"
    )
    assert score == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("weights", "ids", "says"),
    [
        (torch.full((3, 3), torch.nan), [1, 2, 3], "not numbers"),
        (torch.full((3, 3), -4.0), [1, 2, 3], "between 0 and 1, but one here is -4"),
        (torch.zeros(3, 3, dtype=torch.complex64), [1, 2, 3], "Attention should have"),
        ("attention", [1, 2, 3], "it has str"),
        (None, [1, 2, 3], "it has NoneType"),
        (torch.eye(3), ["a", "b", "a"], "token ids"),
        (torch.eye(3), [1.5, 2.0, 1.5], "token ids"),
        (torch.eye(3), [2**70] * 3, "token ids"),
        (torch.eye(3), None, "token ids"),
        (torch.zeros(0, 0), [], "no token ids"),
    ],
)
def test_what_is_no_attention_or_no_ids_is_refused_in_a_sentence(weights, ids, says) -> None:
    with pytest.raises(HeadrolesError, match=says):
        headroles.verify_head_activation(weights, ids, Head(0, 0), "induction")


@pytest.mark.parametrize("data", [None, [], {}, {"attention": torch.eye(3)}])
def test_data_without_its_parts_is_refused(path: Path, data) -> None:
    with pytest.raises(ShapeError, match="token_ids"):
        headroles.get_active_head_summary(data, "tiny", path=path)


@pytest.mark.parametrize("head", [None, {}, {"layer": "0", "head": 0}, {"layer": 0.5, "head": 0}])
def test_what_names_no_head_is_refused(head) -> None:
    with pytest.raises(UnknownHeadError):
        headroles.verify_head_activation(planted(REPEATED), REPEATED, head, "induction")


@pytest.mark.parametrize("head", [Head(1, 2), (1, 2), "L1H2", {"layer": 1, "head": 2}])
def test_a_head_is_named_in_any_of_its_forms(head) -> None:
    attention = planted(REPEATED, L1H2=perfect("induction", REPEATED))
    assert headroles.verify_head_activation(attention, REPEATED, head, "induction") == 1.0
