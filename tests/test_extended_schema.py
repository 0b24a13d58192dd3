"""The optional section of an entry: what it takes, and what it refuses."""

from __future__ import annotations

import copy

import pytest
from pydantic import ValidationError

from headroles.store import ExtendedScores
from headroles.store.schema import ModelEntry, digest, to_json, validate
from tests.entries import HEADS, LAYERS, entry, plain_entry
from tests.pages.planted_extended import planted_section


@pytest.fixture
def plain() -> dict:
    section = planted_section(4, 8).model_dump(mode="json")
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
        extended=section,
    )


def test_a_file_from_before_has_no_section_and_stays_as_it_was() -> None:
    old = entry()
    assert old.extended is None
    assert '"extended"' not in to_json({"tiny": old})


def test_negative_scores_come_back_as_they_were(plain) -> None:
    found = ModelEntry.model_validate(plain)
    back = validate(to_json({"tiny": found}), "a file")["tiny"]
    assert back == found
    assert back.extended.roles["copy_suppression"].scores[1][1] == -0.75


def test_the_digest_of_an_entry_sees_the_section(plain) -> None:
    assert digest(ModelEntry.model_validate(plain)) != digest(
        ModelEntry.model_validate({**plain, "extended": None})
    )


@pytest.mark.parametrize(
    ("role", "field"),
    [
        ("delimiter", "scores"),
        ("name_mover", "standard_errors"),
        ("s_inhibition", "control"),
        ("copy_suppression", "control_errors"),
    ],
)
def test_a_matrix_of_another_shape_is_refused(plain, role, field) -> None:
    broken = copy.deepcopy(plain)
    broken["extended"]["roles"][role][field] = [[0.0]]
    with pytest.raises(ValidationError, match=f"{role}: {field} is not a 4 x 8 matrix"):
        ModelEntry.model_validate(broken)


def test_a_profile_of_another_shape_and_a_head_beyond_the_model_are_refused(plain) -> None:
    broken = copy.deepcopy(plain)
    broken["extended"]["roles"]["fixed_offset"]["profiles"]["control"][4] = [[0.0]]
    with pytest.raises(ValidationError, match="control at distance 5"):
        ModelEntry.model_validate(broken)
    broken = copy.deepcopy(plain)
    broken["extended"]["roles"]["name_mover"]["top_heads"][0]["layer"] = 9
    with pytest.raises(ValidationError, match="name_mover lists L9H0"):
        ModelEntry.model_validate(broken)


def test_an_unknown_role_and_a_number_that_is_none_are_refused(plain) -> None:
    broken = copy.deepcopy(plain)
    broken["extended"]["roles"]["mind_reading"] = broken["extended"]["roles"]["successor"]
    with pytest.raises(ValidationError, match="mind_reading"):
        ModelEntry.model_validate(broken)
    with pytest.raises(ValidationError):
        ExtendedScores(seed=0, scores=[[float("nan")]])


def test_the_error_of_a_control_has_the_models_shape() -> None:
    control = {"name": "random tokens", "scores": [[0.1] * HEADS] * LAYERS}
    good = {**control, "standard_errors": [[0.01] * HEADS] * LAYERS}
    assert entry(controls={"diffuse": good}).controls["diffuse"].standard_errors
    with pytest.raises(ValidationError, match="errors of the control of diffuse"):
        entry(controls={"diffuse": {**control, "standard_errors": [[0.01]]}})
