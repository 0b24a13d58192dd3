"""Entries that another dashboard wrote: what is read, what is kept, and what is refused."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import headroles
from headroles import analysis, reference
from headroles.errors import AnalysisError, CategoriesBrokenError
from headroles.roles import DEFINITIONS_VERSION, ROLES, SCORED_ROLES
from headroles.store import categories, made_elsewhere
from headroles.types import Head
from tests import elsewhere
from tests.entries import entry, plain_entry


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "head_categories.json"


def write(path: Path, **entries: object) -> Path:
    path.write_text(json.dumps(entries))
    return path


def test_the_example_is_read_as_it_stands(path: Path) -> None:
    path.write_text(json.dumps(elsewhere.EXAMPLE))
    read = headroles.load_head_categories("gpt2", path)
    for name in ("model_name", "num_layers", "num_heads", "analysis_date"):
        assert read[name] == elsewhere.EXAMPLE["gpt2"][name]
    for key, category in elsewhere.EXAMPLE["gpt2"]["categories"].items():
        for name in ("display_name", "description", "icon"):
            assert read["categories"][key][name] == category[name]
        tops = [{**top, "entered_by": "made elsewhere"} for top in category["top_heads"]]
        assert read["categories"][key]["top_heads"] == tops
        assert read["categories"][key]["threshold"] == ROLES[key].default_threshold
    assert read["made_elsewhere"] is True
    assert read["all_scores"] == {}  # the example's matrices break off


def test_the_summary_works_from_it(path: Path) -> None:
    write(path, demo=elsewhere.plain())
    attention = torch.zeros(4, 8, 6, 6)
    attention[..., 0] = 1.0
    ids = [0, 5, 6, 5, 6, 5]
    # L1H1 looks where the copy's follower stands: row 3 (5) at 2, row 4 (6) at 3, row 5 (5) at 2, 4
    for row, keys in {3: [2], 4: [3], 5: [2, 4]}.items():
        attention[1, 1, row] = 0.0
        attention[1, 1, row, keys] = 1 / len(keys)
    data = {"attention": attention, "token_ids": ids}
    summary = headroles.get_active_head_summary(data, "demo", path=path)
    assert set(summary) == {"previous_token", "induction"}
    first, second = summary["induction"]
    assert (first["label"], first["score"], first["standard_error"]) == ("L1H1", 0.95, None)
    assert first["threshold"] == ROLES["induction"].default_threshold
    assert first["activation_score"] == pytest.approx(1.0)
    assert second["activation_score"] == 0.0


def test_scores_without_lists_list_the_heads_over_the_convention(path: Path) -> None:
    plain = elsewhere.plain(whole=True)
    del plain["categories"]
    write(path, demo=plain)
    read = categories.read_entry("demo", path)
    assert read.listed("induction") == [Head(1, 1)]  # L2H2's .30 is below .40
    assert read.listed("positional") == [Head(3, 3)]
    assert read.all_scores["positional"][3][3] == 1.0  # written as a whole number
    assert read.listed("diffuse") == []


def test_lists_without_scores_know_their_own_heads_alone(path: Path) -> None:
    plain = elsewhere.plain()
    del plain["all_scores"]
    write(path, demo=plain)
    stored = categories.read_entry("demo", path).role("induction")
    assert stored.known_heads == [Head(1, 1), Head(2, 2)]
    assert stored.score(Head(0, 0)) is None
    assert not stored.fits(Head(0, 0), 0.0)
    assert stored.rank(Head(2, 2)) == 2


@pytest.mark.parametrize("name", made_elsewhere.ALWAYS)
def test_whatever_an_analysis_here_adds_may_be_missing(path: Path, name: str) -> None:
    plain = plain_entry()
    del plain[name]
    write(path, tiny=plain)
    assert categories.read_entry("tiny", path).made_elsewhere
    assert not entry().made_elsewhere


def test_a_later_version_of_this_project_is_not_taken_for_somebody_elses(path: Path) -> None:
    plain = plain_entry(schema_version=3)
    del plain["controls"]
    write(path, tiny=plain)
    with pytest.raises(CategoriesBrokenError, match="schema_version"):
        categories.read_all(path)


@pytest.mark.parametrize(
    ("written", "role"),
    [
        ("Previous Token", "previous_token"),
        ("previous_token_head", "previous_token"),
        ("induction-heads", "induction"),
        ("first_token", "positional"),
        ("Diffuse / Bag-of-Words", "diffuse"),
        ("Other / Unclassified", "other"),
        ("successor", None),
        ("name_mover", None),
        ("", None),
    ],
)
def test_other_names_of_a_role(written: str, role: str | None) -> None:
    assert made_elsewhere.role_key(written) == role


def test_the_roles_own_key_goes_before_its_other_names(path: Path) -> None:
    plain = elsewhere.plain()
    other = copy.deepcopy(plain["categories"]["induction"])
    other["top_heads"] = [{"layer": 3, "head": 3, "score": 0.5}]
    plain["categories"] = {"induction": plain["categories"]["induction"], "Induction": other}
    write(path, demo=plain)
    assert categories.read_entry("demo", path).listed("induction") == [Head(1, 1), Head(2, 2)]


def test_nothing_of_it_is_lost_when_an_analysis_is_published_beside_it(path: Path) -> None:
    plain = elsewhere.plain() | {"their own": {"what": [1, None, "ü"]}, "seed": "lucky"}
    write(path, demo=plain)
    categories.write_entry(entry("tiny"), path)
    assert json.loads(path.read_text())["demo"] == plain
    categories.write_entry(entry("demo", num_layers=2), path)  # now it is replaced
    assert not categories.read_entry("demo", path).made_elsewhere
    (_, older) = (version.name for version in categories.versions(path))
    categories.restore(older, path, model="demo")
    assert json.loads(path.read_text())["demo"] == plain


def test_what_another_program_changes_in_it_is_noticed(path: Path) -> None:
    write(path, demo=elsewhere.plain())
    before = categories.entry_digest("demo", path)
    write(path, demo=elsewhere.plain() | {"their own": 1})
    assert categories.entry_digest("demo", path) != before


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_programs_write_other_encodings(path: Path, encoding: str) -> None:
    path.write_bytes(json.dumps(elsewhere.EXAMPLE, ensure_ascii=False).encode(encoding))
    read = headroles.load_head_categories("gpt2", path)
    assert read["categories"]["induction"]["description"].endswith("[A] → [B]")


def test_dots_that_stand_for_more_are_no_scores(path: Path) -> None:
    plain = elsewhere.plain()
    plain["all_scores"] = {"induction": [[0.12, 0.05, "..."], "..."], "diffuse": None}
    plain["categories"]["diffuse"] = None
    write(path, demo=plain)
    read = headroles.load_head_categories("demo", path)
    assert read["all_scores"] == {}
    assert "diffuse" not in read["categories"]
    assert len(read["categories"]["induction"]["top_heads"]) == 2


def test_what_rounding_put_outside_a_share_is_a_share(path: Path) -> None:
    plain = elsewhere.plain(whole=True)
    plain["all_scores"]["induction"][0][0] = -1e-9
    plain["categories"]["induction"]["top_heads"][1]["score"] = -1e-9
    write(path, demo=plain)
    read = headroles.load_head_categories("demo", path)
    assert read["all_scores"]["induction"][0][0] == 0.0
    assert read["categories"]["induction"]["top_heads"][1]["score"] == 0.0


def _top(**changes: object) -> Callable[[dict], None]:
    return lambda plain: plain["categories"]["induction"]["top_heads"][0].update(changes)


REFUSED = {
    "a layer that is none": (_top(layer=4), "L4H1, not in the model"),
    "a head that is none": (_top(head=8), "L1H8, not in the model"),
    "a percentage": (_top(score=95), "shares from 0 to 1"),
    "a score in words": (_top(score="high"), "score"),
    "no score at all": (_top(score=None), "without a score"),
    "a negative layer": (_top(layer=-1), "layer"),
    "a list that is none": (
        lambda plain: plain["categories"]["induction"].update(top_heads={"L1H1": 1}),
        "not a list",
    ),
    "a head as a label": (
        lambda plain: plain["categories"]["induction"].update(top_heads=["L1H1"]),
        "no layer, head and score",
    ),
    "a role that is a list": (
        lambda plain: plain["categories"].update(induction=[]),
        "induction is not an object",
    ),
    "roles in a list": (lambda plain: plain.update(categories=[]), "categories is not an object"),
    "no shape": (lambda plain: plain.pop("num_layers"), "num_layers"),
    "a shape of no model": (lambda plain: plain.update(num_heads=10**9), "num_heads"),
    "a matrix of another model": (
        lambda plain: plain["all_scores"].update(induction=[[0.1] * 4] * 8),
        "not a 4 x 8 matrix",
    ),
    "a matrix of words": (
        lambda plain: plain["all_scores"].update(induction=[["a"] * 8] * 4),
        "all_scores",
    ),
    "another model's name": (lambda plain: plain.update(model_name="gpt2"), "of 'gpt2'"),
}


@pytest.mark.parametrize(("change", "says"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_used_is_refused_in_a_sentence(
    path: Path, change: Callable[[dict], object], says: str
) -> None:
    plain = elsewhere.plain()
    change(plain)
    write(path, demo=plain)
    with pytest.raises(CategoriesBrokenError, match=says):
        headroles.load_head_categories("demo", path)


def test_each_head_once_and_the_best_first(path: Path) -> None:
    plain = elsewhere.plain()
    plain["categories"]["induction"]["top_heads"] = [
        {"layer": 0, "head": 1, "score": 0.2},
        {"layer": 1, "head": 1, "score": 0.9},
        {"layer": 0, "head": 1, "score": 0.2},
    ]
    write(path, demo=plain)
    assert categories.read_entry("demo", path).listed("induction") == [Head(1, 1), Head(0, 1)]


def test_an_entry_of_ours_is_strict_as_ever(path: Path) -> None:
    write(path, tiny=plain_entry(surprise=1))
    with pytest.raises(CategoriesBrokenError, match="surprise"):
        categories.read_all(path)


# ------------------------------------------------------------------ what works with entries


def test_measured_scores_beside_them_are_a_change(path: Path) -> None:
    write(path, tiny=elsewhere.plain("tiny", layers=2, heads=3) | {"categories": {}})
    theirs, ours = categories.read_entry("tiny", path), entry("tiny")
    there = reference.diff.compare(theirs, ours)
    assert (there.origin, there.nothing, there.comparable) == ("measured", False, True)
    assert all(not change.scores for change in there.roles.values())  # nobody knows what is clear
    assert reference.diff.compare(ours, theirs).origin == "elsewhere"
    assert reference.diff.compare(theirs, theirs).nothing


def test_it_is_never_up_to_date_and_gets_no_hints(path: Path) -> None:
    write(path, demo=elsewhere.plain())
    read = categories.read_entry("demo", path)
    assert analysis.freshness.why_stale(read, "demo", reference.AnalysisSettings()) == (
        "it was made elsewhere"
    )
    with pytest.raises(AnalysisError, match="made elsewhere"):
        analysis.renewed(read, "demo")


def test_the_example_of_ours_says_its_version() -> None:
    assert entry().definitions_version == DEFINITIONS_VERSION
    assert {role.key for role in SCORED_ROLES} <= entry().all_scores.keys()


def test_what_stands_beside_the_entries_is_passed_over_and_kept(path: Path) -> None:
    notes = {"version": "1.0", "_meta": {"made": "2026-02-16"}, "models": ["demo"]}
    write(path, **notes, demo=elsewhere.plain())
    assert list(categories.read_all(path)) == ["demo"]
    assert headroles.load_head_categories("demo", path)["made_elsewhere"] is True
    categories.write_entry(entry("other"), path)
    assert set(categories.read_all(path)) == {"demo", "other"}
    written = json.loads(path.read_text())
    assert {key: written[key] for key in notes} == notes


@pytest.mark.parametrize("damaged", [{"demo": 5}, {"x": 5}, {"x": {"num_layers": 4}}, [1], "x"])
def test_a_damaged_entry_is_no_note(path: Path, damaged: object) -> None:
    path.write_text(json.dumps(damaged))
    with pytest.raises(CategoriesBrokenError):
        categories.read_all(path)
