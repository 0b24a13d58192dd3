"""What pages say of S-inhibition and of a name mover's knock-out: numbers by hand."""

from __future__ import annotations

import pytest

from headroles.export.tables import extended_rows
from headroles.roles import ROLES
from headroles.store import Category, Control, KnockOut, StoredRole, TopHead
from headroles.store.schema import to_json, validate
from headroles.types import Head
from headroles.view import extended_roles, head_maps, head_records
from tests.facts import says
from tests.pages.planted import planted_entry
from tests.pages.planted_extended import with_extended

INHIBITION, MOVER = ROLES["s_inhibition"], ROLES["name_mover"]


def stored(role, scores, tops=(), threshold: float = 0.05) -> StoredRole:
    category = Category(
        display_name=role.name,
        description=role.explanation,
        icon=role.icon,
        measured_by=role.measured_by,
        sign=role.sign,
        threshold=threshold,
        n=32,
        measured_on="IOI prompts",
        top_heads=list(tops),
    )
    zeros = [[0.0] * len(row) for row in scores]
    return StoredRole(
        role=role,
        category=category,
        scores=scores,
        errors=zeros,
        control=Control(name="none", scores=zeros),
        factors={},
        by_kind={},
        profile=None,
    )


def mover(change: float, direct: float, error: float = 0.1) -> StoredRole:
    done = KnockOut(
        change=change, standard_error=error, direct=direct, lead_change=0.05, lead_error=0.08
    )
    top = TopHead(layer=0, head=0, score=1.2, standard_error=0.05, knock_out=done)
    return stored(MOVER, [[1.2, 0.0]], [top], threshold=0.4)


def test_a_fall_is_told_in_points_and_its_opposite_too() -> None:
    assert head_records.number(INHIBITION, 0.1236).startswith("12.4 percentage points less")
    assert head_records.number(INHIBITION, -0.017).startswith("1.7 percentage points more")
    assert head_records.number(INHIBITION, 0.0004) == "no change without it"


def test_the_map_of_s_inhibition_says_who_turns_name_movers_to_the_subject() -> None:
    top = TopHead(layer=0, head=0, score=0.12, standard_error=0.01)
    role = stored(INHIBITION, [[0.12, -0.07]], [top])
    sentence = head_maps.stored_map(role).sentence
    assert says(sentence, "1 of 2 heads", "L0H0", "12.0 percentage points less")
    assert says(
        sentence,
        "1 head turns the name movers towards the subject",
        "L0H1",
        "7.0 percentage points more",
    )
    assert says(extended_roles.out_of(role), "32 texts", "5.0 percentage points")


@pytest.mark.parametrize(
    ("change", "direct", "says_what", "says_why"),
    [
        (-0.8, 1.3, "falls by 0.80 ± 0.10", "other heads make up for the rest"),  # .5 missing
        (-1.2, 1.3, "falls by 1.20", "about as much"),  # .1 missing, within two errors
        (-1.6, 1.3, "falls by 1.60", "later heads build on it"),
        (-0.1, 1.3, "does not clearly change", "other heads make up for it"),
        (0.5, 0.1, "rises by 0.50", "other heads make up for the rest"),
    ],
)
def test_a_name_movers_knock_out_stands_beside_what_it_adds(
    change: float, direct: float, says_what: str, says_why: str
) -> None:
    role = mover(change, direct)
    sentence = extended_roles.knock_out_sentence(role, Head(0, 0))
    assert says_what in sentence
    assert f"it adds {direct:.2f} itself: {says_why}" in sentence
    assert "+0.05 ± 0.08" in sentence
    assert extended_roles.strongest_knocked_out(role).startswith("L0H0: knocked out")
    assert extended_roles.knock_out_sentence(role, Head(0, 1)) == ""
    assert extended_roles.knock_out_short(role, Head(0, 1)) == "not run"


def test_an_entry_from_before_knock_outs_says_nothing_of_them() -> None:
    top = TopHead(layer=0, head=0, score=1.2, standard_error=0.05)
    assert extended_roles.strongest_knocked_out(stored(MOVER, [[1.2]], [top])) == ""


def test_the_download_has_the_knock_out_of_name_movers_alone() -> None:
    entry = with_extended(planted_entry(4, 8))
    top = mover(-0.8, 1.3).category.top_heads[0].model_copy(update={"layer": 2})
    category = entry.categories["name_mover"].model_copy(update={"top_heads": [top]})
    entry = entry.model_copy(update={"categories": {**entry.categories, "name_mover": category}})
    assert validate(to_json({entry.model_name: entry}), "a file")[entry.model_name] == entry
    rows = {row["label"]: row for row in extended_rows(entry) if row["role"] == "name_mover"}
    first, second = rows["L2H0"], rows["L2H1"]
    assert first["knock_out_change"] == -0.8
    assert first["knock_out_direct"] == 1.3
    assert (first["knock_out_lead_change"], first["knock_out_lead_error"]) == (0.05, 0.08)
    assert second["knock_out_change"] is None
