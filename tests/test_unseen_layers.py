"""A layer whose heads cannot see a role's places has no score there: on file, in words, on maps."""

from __future__ import annotations

import json

import pytest

from headroles.export.tables import reference_rows
from headroles.roles import EXTENDED_ROLES
from headroles.store import ModelEntry, read_entry
from headroles.store.schema import to_json, validate
from headroles.types import Head
from headroles.verdicts.head import passport
from headroles.view.extended_roles import nearest, passport_rows, passport_sentences
from headroles.view.head_maps import stored_map
from headroles.view.two_texts import two_texts
from tests.entries import HEADS, plain_entry
from tests.facts import says

KEY = "previous_token"


@pytest.fixture(scope="module")
def entry() -> ModelEntry:
    plain = plain_entry()
    plain["all_scores"][KEY][0] = plain["standard_errors"][KEY][0] = [0.0] * HEADS
    plain["categories"][KEY]["unseen_layers"] = [0]
    return ModelEntry.model_validate(plain)


def test_its_heads_have_no_score_and_no_rank(entry: ModelEntry) -> None:
    stored = entry.role(KEY)
    assert [head.layer for head in stored.known_heads] == [1] * HEADS
    for value in (stored.score, stored.error, stored.control_score, stored.kind_error):
        assert value(Head(0, 1)) is None
    assert stored.score(Head(1, 2)) == 1.0
    assert stored.rank(Head(1, 0)) == 3
    assert not stored.fits(Head(0, 1), 0.0)
    (record,) = [one for one in passport(entry, Head(0, 1)).records if one.role == KEY]
    assert (record.score, record.standard_error, record.rank, record.is_over) == (None,) * 3 + (
        False,
    )
    assert entry.role("induction").score(Head(0, 1)) == 0.25


def test_maps_and_tables_say_so(entry: ModelEntry) -> None:
    drawn = stored_map(entry.role(KEY))
    assert [record["value"] for record in drawn.records[:HEADS]] == [None] * HEADS
    assert says(drawn.records[0]["shown"], "not measured")
    assert not says(drawn.sentence, "elsewhere")
    assert [head.layer for head in two_texts(entry, {}, extended=False)[KEY].heads] == [1] * HEADS
    rows = [row for row in reference_rows(entry) if row["role"] == KEY and row["layer"] == 0]
    assert rows
    assert all(row["score"] is None and row["over_threshold"] is None for row in rows)


def test_it_is_written_only_where_there_is_one(entry: ModelEntry) -> None:
    text = to_json({"tiny": entry})
    assert validate(text, "a file") == {"tiny": entry}
    written = json.loads(text)["tiny"]["categories"]
    assert [key for key in written if "unseen_layers" in written[key]] == [KEY]


@pytest.mark.parametrize("key", [key for key in EXTENDED_ROLES if key != "successor"])
def test_an_extended_role_too(key: str) -> None:
    whole = read_entry("demo")
    category = whole.categories[key].model_copy(update={"unseen_layers": [0], "top_heads": []})
    entry = whole.model_copy(update={"categories": {**whole.categories, key: category}})
    stored, place = entry.role(key), list(entry.extended).index(key)
    assert passport_rows(entry, Head(0, 3))[place][1] == "not measured"
    rank = passport_rows(entry, Head(1, 3))[place][5]
    assert rank.endswith(f" of {3 * 8}")
    assert any(
        says(one, stored.role.name, "not measured") for one in passport_sentences(entry, Head(0, 3))
    )
    drawn = stored_map(stored)
    assert [record["value"] is None for record in drawn.records] == [True] * 8 + [False] * 24
    assert drawn.sentence
    if not stored.role.is_signed:
        assert nearest(stored)
