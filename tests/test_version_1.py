"""Files of schema version 1: still read, converted when they are written, and nothing is lost."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from pydantic import ValidationError

import headroles
from headroles.errors import CategoriesBrokenError
from headroles.export.tables import extended_rows
from headroles.roles import BASIC_ROLES, FALL, LOGITS, ROLES
from headroles.store import categories
from headroles.store.schema import ModelEntry, digest, to_json, validate
from headroles.types import Head
from headroles.view.head_maps import stored_map
from tests.entries import HEADS, LAYERS, entry, plain_entry
from tests.pages.planted_extended import planted_section

OLD = Path(__file__).parent / "fixtures" / "head_categories_version_1.json"
MODEL = "attn-only-1l-tiny"
OF_VERSION_1 = (
    "delimiter",
    "fixed_offset",
    "successor",
    "s_inhibition",
    "name_mover",
    "copy_suppression",
)
"""The extended roles that a file of version 1 may hold."""


@pytest.fixture
def plain() -> dict:
    matrices = {
        key: [[0.5] * 8 for _ in range(4)]
        for key in ("previous_token", "induction", "duplicate_token", "positional", "diffuse")
    }
    return plain_entry(
        num_layers=4,
        num_heads=8,
        all_scores=matrices,
        standard_errors={},
        null_scores={},
        controls={},
        extended=planted_section(4, 8),
    )


# ------------------------------------------------------------------ a real file of version 1


def test_every_number_of_an_old_file_stands_in_the_new_one() -> None:
    old = json.loads(OLD.read_text())[MODEL]
    new = json.loads(to_json(categories.read_all(OLD)))[MODEL]
    assert (old["schema_version"], new["schema_version"]) == (1, 2)
    assert "extended" not in new
    for key, role in old["extended"]["roles"].items():
        category = new["categories"][key]
        assert category["threshold"] == role["threshold"]
        assert category["measured_on"] == role["texts"]
        assert category.get("chance") == role.get("chance")
        assert [
            {name: top[name] for name in before}
            for top, before in zip(category["top_heads"], role["top_heads"], strict=True)
        ] == role["top_heads"]
        assert new["all_scores"][key] == role["scores"]
        assert new["standard_errors"][key] == role["standard_errors"]
        assert new["controls"][key]["scores"] == role["control"]
        assert new["controls"][key]["standard_errors"] == role["control_errors"]
        assert new["factors"].get(key, {}) == role["details"]
        assert new["profiles"].get(key) == role.get("profiles")
    for part in ("all_scores", "standard_errors", "controls", "null_scores", "causal"):
        for key, before in old[part].items():
            assert new[part][key] == before
    for key, before in old["categories"].items():
        assert {name: new["categories"][key][name] for name in before} == before
    rest = old.keys() - {"schema_version", "extended", "categories"}
    assert all(new[name] == old[name] for name in rest if not isinstance(old[name], dict))


def test_the_core_of_the_file_is_what_it_always_was() -> None:
    new = json.loads(to_json(categories.read_all(OLD)))[MODEL]
    for name in ("model_name", "num_layers", "num_heads", "analysis_date"):
        assert new[name] == json.loads(OLD.read_text())[MODEL][name]
    for key, category in new["categories"].items():
        assert category.keys() >= {"display_name", "description", "icon", "top_heads"}
        assert all(top.keys() >= {"layer", "head", "score"} for top in category["top_heads"])
        if key != "other":
            assert len(new["all_scores"][key]) == new["num_layers"]


def test_a_write_converts_the_file_and_the_old_one_can_be_restored(tmp_path) -> None:
    path = tmp_path / "head_categories.json"
    path.write_bytes(OLD.read_bytes())
    before = categories.read_entry(MODEL, path)
    categories.write_entry(entry(), path)
    written = json.loads(path.read_text())
    assert [one["schema_version"] for one in written.values()] == [2, 2]
    assert categories.read_entry(MODEL, path) == before
    (version,) = categories.versions(path)
    assert not version.fault
    assert categories.read_version(version.name, path) == {MODEL: before}
    categories.restore(version.name, path, model=MODEL)
    assert categories.read_entry(MODEL, path) == before
    categories.restore(version.name, path)
    assert path.read_bytes() == OLD.read_bytes()
    assert categories.read_all(path) == {MODEL: before}


def test_what_is_converted_comes_back_as_it_was() -> None:
    text = to_json(categories.read_all(OLD))
    assert validate(text, "a file") == categories.read_all(OLD)
    assert to_json(validate(text, "a file")) == text


def test_a_loop_over_the_categories_meets_the_basic_roles_unless_more_is_asked_for() -> None:
    basic = headroles.load_head_categories(MODEL, OLD)
    assert list(basic["categories"]) == list(BASIC_ROLES)
    assert basic["all_scores"].keys() == BASIC_ROLES.keys() - {"other"}
    every = headroles.load_head_categories(MODEL, OLD, extended=True)
    assert list(every["categories"]) == [*BASIC_ROLES, *OF_VERSION_1]
    assert every["categories"]["name_mover"]["measured_by"] == "direct_effect"
    assert every["all_scores"].keys() > basic["all_scores"].keys()


# ------------------------------------------------------------------ its section


def test_a_file_from_before_the_section_has_no_extended_roles() -> None:
    assert entry().extended == {}
    assert "factors" not in to_json({"tiny": entry()})


def test_negative_scores_and_reasons_come_back_as_they_were(plain) -> None:
    converted = ModelEntry.model_validate(plain)
    back = validate(to_json({"tiny": converted}), "a file")["tiny"]
    assert back == converted
    suppression, successor = back.role("copy_suppression"), back.role("successor")
    assert suppression.score(Head(1, 1)) == -0.75
    assert suppression.limit == -0.4
    assert suppression.rank(Head(1, 1)) == 1
    assert not successor.is_measured
    assert successor.category.not_measured == "Too few days are single tokens."
    assert successor.heads == []
    assert back.role("fixed_offset").distance(Head(3, 7)) == 3


def test_a_seed_of_its_own_is_kept(plain) -> None:
    plain["extended"]["roles"]["delimiter"]["seed"] = 5
    converted = ModelEntry.model_validate(plain)
    assert converted.categories["delimiter"].seed == 5
    assert converted.categories["name_mover"].seed is None


def test_the_older_of_both_versions_of_the_definitions_counts(plain) -> None:
    plain["extended"]["definitions_version"] = 0
    assert ModelEntry.model_validate(plain).definitions_version == 0


def test_the_digest_of_an_entry_sees_the_section(plain) -> None:
    without = ModelEntry.model_validate({**plain, "extended": None})
    assert digest(ModelEntry.model_validate(plain)) != digest(without)


@pytest.mark.parametrize(
    ("role", "field", "name"),
    [
        ("delimiter", "scores", "delimiter"),
        ("name_mover", "standard_errors", "errors of name_mover"),
        ("s_inhibition", "control", "control of s_inhibition"),
        ("copy_suppression", "control_errors", "errors of the control of copy_suppression"),
    ],
)
def test_a_matrix_of_another_shape_is_refused(plain, role, field, name) -> None:
    plain["extended"]["roles"][role][field] = [[0.0]]
    with pytest.raises(ValidationError, match=f"{name} is not a 4 x 8 matrix"):
        ModelEntry.model_validate(plain)


def test_a_profile_of_another_shape_and_a_head_beyond_the_model_are_refused(plain) -> None:
    broken = copy.deepcopy(plain)
    broken["extended"]["roles"]["fixed_offset"]["profiles"]["control"][4] = [[0.0]]
    with pytest.raises(ValidationError, match="at distance 5 is not"):
        ModelEntry.model_validate(broken)
    plain["extended"]["roles"]["name_mover"]["top_heads"][0]["layer"] = 9
    with pytest.raises(ValidationError, match="name_mover lists L9H0"):
        ModelEntry.model_validate(plain)


def test_an_unknown_role_and_a_number_that_is_none_are_refused(plain) -> None:
    broken = copy.deepcopy(plain)
    broken["extended"]["roles"]["mind_reading"] = broken["extended"]["roles"]["successor"]
    with pytest.raises(ValidationError, match="mind_reading"):
        ModelEntry.model_validate(broken)
    plain["extended"]["roles"]["name_mover"]["scores"][0][0] = float("nan")
    with pytest.raises(ValidationError, match="finite"):
        ModelEntry.model_validate(plain)


@pytest.mark.parametrize(
    "section", [7, {}, {"definitions_version": 1, "roles": {"delimiter": {"seed": "x"}}}]
)
def test_a_section_that_is_none_is_refused_with_its_place(section) -> None:
    text = json.dumps({"tiny": plain_entry(extended=section)})
    with pytest.raises(CategoriesBrokenError, match="extended"):
        validate(text, "a file")


def test_a_share_over_1_is_refused_and_a_logit_is_not(plain) -> None:
    plain["extended"]["roles"]["name_mover"]["scores"][0][0] = 3.5
    assert ModelEntry.model_validate(plain).role("name_mover").score(Head(0, 0)) == 3.5
    plain["extended"]["roles"]["delimiter"]["scores"][0][0] = 3.5
    with pytest.raises(ValidationError, match=r"delimiter holds 3\.5"):
        ModelEntry.model_validate(plain)


def test_an_old_s_inhibition_is_called_what_it_is() -> None:
    """Version 1 measured in logits what a head writes itself, below zero against the subject."""
    old = categories.read_entry(MODEL, OLD).role("s_inhibition")
    assert (old.role.key, old.role.unit, old.role.sign) == ("s_inhibition", LOGITS, -1)
    assert old.role.name == "S-inhibition (direct effect)"
    assert (old.category.measured_by, old.category.sign) == ("direct_effect", -1)
    assert (ROLES["s_inhibition"].unit, ROLES["s_inhibition"].sign) == (FALL, 1)
    sentence = stored_map(old).sentence
    assert "logits" in sentence
    assert "points" not in sentence
    row = next(
        row
        for row in extended_rows(categories.read_entry(MODEL, OLD))
        if row["role"] == "s_inhibition"
    )
    assert row["unit"] == LOGITS
    assert row["threshold"] == -old.category.threshold


@pytest.mark.parametrize("part", ["all_scores", "standard_errors", "controls", "profiles"])
def test_a_role_that_was_measured_has_all_its_parts(plain, part) -> None:
    whole = ModelEntry.model_validate(plain).model_dump(mode="json")
    del whole[part]["fixed_offset"]
    with pytest.raises(ValidationError, match="fixed_offset was measured, but a part"):
        ModelEntry.model_validate(whole)


def test_the_error_of_a_control_has_the_models_shape() -> None:
    control = {"name": "random tokens", "scores": [[0.1] * HEADS] * LAYERS}
    good = {**control, "standard_errors": [[0.01] * HEADS] * LAYERS}
    assert entry(controls={"diffuse": good}).controls["diffuse"].standard_errors
    with pytest.raises(ValidationError, match="errors of the control of diffuse"):
        entry(controls={"diffuse": {**control, "standard_errors": [[0.01]]}})
