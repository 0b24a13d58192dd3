"""The command that reads real text, and the tables and sentences about it."""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from headroles import disk, export, paths, store, view
from headroles.errors import HeadrolesError
from headroles.roles import ROLES
from headroles.store import RealText, read_real_text
from headroles.store.real_text import RoleActivity, RoleMeans
from headroles.types import Head
from headroles.view.real_text import Wild, wild
from scripts import read_texts

SHIPPED = sorted((paths.ROOT / "data" / "real_text").glob("*.json.gz"))


def model_of(path: Path) -> str:
    return path.name.removesuffix(".json.gz")


def test_a_file_of_ones_own_is_read_and_written(tmp_path, capsys) -> None:
    text, out, table = tmp_path / "mine.txt", tmp_path / "mine.json", tmp_path / "mine.csv"
    text.write_text("The cat sat on the mat. The cat sat on the mat.\n\n" * 20)
    given = ["demo", "--source", str(text), "--tokens", "400"]
    assert read_texts.main([*given, "--out", str(out), "--csv", str(table)]) == 0
    record = RealText.model_validate_json(out.read_text())
    assert 0 < record.tokens <= 400
    assert [source.key for source in record.sources] == ["own"]
    assert "cat sat" not in out.read_text()  # passages are named, not copied
    assert "Induction" in capsys.readouterr().out
    lines = [
        line
        for line in table.read_text(encoding="utf-8-sig").splitlines()
        if not line.startswith("#")
    ]
    rows = list(csv.DictReader(io.StringIO("\n".join(lines))))
    assert len(rows) == 32 * len(record.activity)
    row = next(r for r in rows if (r["role"], r["layer"], r["head"]) == ("induction", "1", "4"))
    text_means = record.activity["induction"].text
    assert int(row["active_tokens"]) == text_means.active[1][4]
    assert float(row["activation"]) == text_means.mean[1][4]
    assert read_texts.main([*given, "--out", str(tmp_path / "again.json")]) == 0
    assert (tmp_path / "again.json").read_bytes() == out.read_bytes()  # the same seed


def test_json_lines_tell_progress_and_result(tmp_path, capsys) -> None:
    out = tmp_path / "x.json"
    given = ["demo", "--source", "stories", "--tokens", "300", "--out", str(out)]
    assert read_texts.main([*given, "--format", "json-lines"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["event"] == "result"
    assert events[-1]["tokens"] <= 300
    progress = [event for event in events if event["event"] == "progress"]
    assert progress[-1]["done"] == progress[-1]["total"] > 0


@pytest.mark.parametrize(
    "wrong",
    [["--source", "no/such/place"], ["--tokens", "1"], ["no-such-model"], ["--source", " "]],
)
def test_what_cannot_be_read_ends_in_a_line(wrong: list[str], capsys) -> None:
    assert read_texts.main(wrong) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_an_empty_folder_ends_in_a_line(tmp_path, capsys) -> None:
    assert read_texts.main(["demo", "--source", str(tmp_path)]) == 2
    assert "no text" in capsys.readouterr().err


# ------------------------------------------------------------------ what ships


@pytest.mark.parametrize("path", SHIPPED, ids=model_of)
def test_what_ships_fits_the_weights_and_is_small(path) -> None:
    from headroles import models

    model = model_of(path)
    record = read_real_text(model)
    assert path.stat().st_size < 500_000
    assert record.model_name == model
    if models.is_here(model):
        assert record.revision == models.model_revision(models.resolve_source(model))
    assert len(record.evidence.heads) == record.num_layers * record.num_heads


def test_a_file_may_be_compressed_or_not_and_a_damaged_one_is_refused(tmp_path) -> None:
    whole = SHIPPED[0].read_bytes()
    text = store.real_text.plain(whole)
    file = tmp_path / "some.json"
    file.write_bytes(text)
    assert store.real_text.read_file(file) == store.real_text.read_file(SHIPPED[0])
    too_large = gzip.compress(bytes(disk.LARGEST + 1))
    for broken in (whole[:-9], whole[:500] + b"0" + whole[501:], text[:900], too_large):
        file.write_bytes(broken)
        with pytest.raises(HeadrolesError, match="cannot be read"):
            store.real_text.read_file(file)


def test_the_bundled_models_ship_with_results() -> None:
    assert set(map(model_of, SHIPPED)) >= {"demo", "attn-only-1l-tiny", "attn-only-2l-tiny"}


# ------------------------------------------------------------------ by hand


def by_hand(key: str = "induction") -> Wild:
    """One layer of four heads, ten tokens: active at 8, 2, 0 and 4 of them; the first is listed."""
    means = RoleMeans(
        rows=[[10]], passages=3, active=[[8, 2, 0, 4]], mean=[[0.9, 0.2, 0.0, 0.4]],
        error=[[0.01] * 4],
    )  # fmt: skip
    shuffled = means.model_copy(update={"mean": [[0.1, 0.2, 0.0, 0.4]]})
    found = RoleActivity(threshold=0.4, chance=[0.1], text=means, shuffled=shuffled)
    return Wild(ROLES[key], found, (Head(0, 0),), 25)


def test_rates_by_hand() -> None:
    one = by_hand()
    assert one.rows == 10
    assert one.rate_of_listed == 0.8
    assert one.rate_of_others == 0.2  # the median of .2, 0 and .4
    assert one.most_active == Head(0, 0)
    assert one.place_or_content(Head(0, 0)).kind == "content"
    assert one.place_or_content(Head(0, 3)).kind == "positional"
    assert view.real_text.activity_rows([one]) == [
        ["Induction", "10 of 25", "800 (1 head)", "200", "L0H0 (800)", "10%"]
    ]
    assert [record["number"] for record in view.real_text.map_records(one)] == [
        "800", "200", "0", "400",
    ]  # fmt: skip
    assert [row[0] for row in view.real_text.head_rows(one, most=2)] == ["L0H0 (listed)", "L0H3"]


def test_a_head_that_goes_by_the_place_is_never_active() -> None:
    """The second listed head keeps its score without the cue: as on a prompt, that is not the
    role, however often it looks there."""
    one = replace(by_hand("subword_merge"), listed=(), by_place=frozenset([Head(0, 0)]))
    assert one.rates[Head(0, 0)] == 0.8
    assert one.active == {Head(0, 0): 0, Head(0, 1): 0.2, Head(0, 2): 0, Head(0, 3): 0.4}
    assert one.most_active == Head(0, 3)
    assert one.rate_of_others == 0.1  # the median of 0, .2, 0 and .4
    assert view.real_text.activity_rows([one])[0][3:5] == ["100", "L0H3 (400)"]
    assert [row[:2] for row in view.real_text.head_rows(one, most=2)] == [
        ["L0H0", "0"], ["L0H3", "400"],
    ]  # fmt: skip
    assert [record["number"] for record in view.real_text.map_records(one)] == [
        "0", "200", "0", "400",
    ]  # fmt: skip
    assert "L0H0" in view.real_text.map_sentence(one)  # it is said who is left out
    nobody = replace(one, by_place=frozenset(one.rates))
    assert nobody.most_active is None
    assert view.real_text.activity_rows([nobody])[0][4] == "—"


def test_without_an_error_only_what_is_kept_tells() -> None:
    """One passage, no error: a small difference is none, and a large one may be chance."""
    one = by_hand()
    unknown = [[None] * 4]
    found = one.found.model_copy(
        update={
            "text": one.found.text.model_copy(update={"error": unknown}),
            "shuffled": one.found.shuffled.model_copy(update={"error": unknown}),
        }
    )
    one = replace(one, found=found)
    assert one.place_or_content(Head(0, 0)).kind == "unsure"
    assert one.place_or_content(Head(0, 3)).kind == "positional"
    assert view.real_text.head_rows(one, most=1)[0][2] == "0.90"


def test_the_previous_token_head_merges_no_words_on_real_text() -> None:
    """L16H0 of SmolLM2 and L0H6 of the bundled model put .9 of their attention on earlier pieces of
    words, and on random tokens in the same places."""
    for model, head in (("smollm2-135m-instruct", Head(16, 0)), ("demo", Head(0, 6))):
        record, entry = store.read_real_text(model), store.read_entry(model)
        one = next(one for one in wild(record, entry) if one.role.key == "subword_merge")
        assert one.rates[head] > 0.9
        assert one.active[head] == 0
        assert one.most_active not in (None, head)
        row = next(
            row
            for row in export.real_text.activity_rows(record, entry)
            if (row["role"], row["layer"], row["head"]) == ("subword_merge", *head)
        )
        assert (row["without_cue"], row["active_tokens"], row["active_per_1000"]) == (True, 0, 0)
        before = next(one for one in wild(record, entry) if one.role.key == "previous_token")
        assert before.active == before.rates  # a role without a cue leaves nobody out


def test_the_conclusion_names_the_most_and_the_least() -> None:
    said = view.real_text.conclusion([by_hand(), by_hand("previous_token")])
    assert "800 times in 1,000" in said
    assert "200" in said
    assert "Previous token" in said


def test_tables_of_passages_hold_their_texts() -> None:
    read = read_real_text("demo")
    rows = export.real_text.evidence_rows(read, [None] * len(read.passages), [Head(1, 4)], None)
    assert len(rows) == 16
    assert {row["kind"] for row in rows} == {"strongest", "typical"}
    assert all(len(row["keys"]) == len(row["attention"]) for row in rows)


def test_a_record_of_another_shape_is_refused() -> None:
    read = read_real_text("demo").model_dump()
    with pytest.raises(ValueError, match="shape"):
        RealText.model_validate(read | {"num_heads": 7})
    with pytest.raises(ValueError, match="passage"):
        RealText.model_validate(read | {"passages": []})


def test_what_a_model_wrote_last_is_read_first(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(paths, "DATA", tmp_path)
    record = read_real_text("demo")
    store.write_real_text(record.model_copy(update={"seed": 7}))
    assert read_real_text("demo").seed == 7
    assert read_real_text("demo", revision="another") is None
