"""Tables that people read: visible tokens, files that say what was done, a prompt to try."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pandas as pd
import pytest
import torch

from headroles import paths, texts
from headroles.circuits import CircuitSettings, KeyRow, TokenValue, qk_ov
from headroles.errors import HeadrolesError
from headroles.export import circuits
from headroles.models import load_model, load_tokenizer
from headroles.paths import DEMO_MODEL, ROOT
from headroles.store import token_frequencies
from headroles.texts import encode
from headroles.types import Head
from scripts import circuits as script
from scripts import count_tokens
from tests.facts import says


@pytest.fixture(scope="module")
def demo():
    return load_model(str(DEMO_MODEL))


@pytest.fixture(scope="module")
def rows(demo):
    found = qk_ov.head_factors(demo, Head(1, 2), CircuitSettings())
    return qk_ov.key_table(found, qk_ov.uniform(2816), keys=4, each=20)


def test_the_csv_has_every_cell_of_every_list(demo, rows) -> None:
    names = circuits.labels(demo, rows)
    origin = {"model": "demo", **circuits.about(Head(1, 2), CircuitSettings())}
    text = circuits.table_csv(rows, names, origin).decode("utf-8-sig")
    assert text.startswith(
        '# model: "demo"\n# head: "L1H2"\n# embedding: "first_block"\n# layer_norm: "applied"\n'
    )
    table = pd.read_csv(io.StringIO(text), comment="#", keep_default_na=False)
    assert len(table) == 4 * 3 * 20
    first = table[(table["key_id"] == rows[0].token_id) & (table["list"] == "promoted")]
    assert list(first["token_id"]) == [item.token_id for item in rows[0].promoted]
    assert first["value"].iloc[0] == pytest.approx(rows[0].promoted[0].value, abs=1e-6)


def test_the_markdown_has_a_section_a_key_and_two_decimals(demo, rows) -> None:
    text = circuits.table_markdown(rows, circuits.labels(demo, rows), {"model": "demo"})
    assert text.count("\n## Key `") == 4
    assert f"{rows[0].queries[0].value:.2f}" in text
    largest = max(rows[0].queries, key=lambda item: item.value)
    assert rows[0].by_strength[0] == largest
    assert set(rows[0].by_strength) == set(rows[0].queries)
    assert circuits._code("a`b") == "`` a`b ``"


def test_a_prompt_holds_the_key_before_one_of_its_queries(demo, rows) -> None:
    for row in rows:
        prompt = circuits.example_prompt(demo.tokenizer, row)
        ids = encode(demo.tokenizer, prompt).token_ids
        place = ids.index(row.token_id)
        assert {item.token_id for item in row.queries} & set(ids[place + 1 :])


def test_a_key_that_cannot_be_typed_has_no_prompt(demo) -> None:
    lone = demo.tokenizer.convert_tokens_to_ids("Ð")  # one byte of a letter
    query = TokenValue(demo.tokenizer(" cat")["input_ids"][0], 1.0)
    row = KeyRow(lone, 1.0, 1.0, 1.0, (query,), (), ())
    assert circuits.example_prompt(demo.tokenizer, row) is None


def test_the_bundled_counts_sum_to_one_and_name_their_source() -> None:
    found = token_frequencies.read_frequencies("demo", 2816)
    assert float(found.probabilities.sum()) == pytest.approx(1, abs=1e-5)
    assert found.counted > 500_000
    assert says(found.sentence, "grammar")
    assert float(found.probabilities.min()) > 0


def test_a_model_without_counts_gets_equal_ones_and_says_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(paths, "DATA", tmp_path)
    found = token_frequencies.read_frequencies("gpt2", 10)
    assert torch.equal(found.probabilities, torch.full((10,), 0.1))
    assert "equally likely" in found.sentence
    (tmp_path / "token_frequencies").mkdir()
    (tmp_path / "token_frequencies" / "gpt2.json").write_text("{oops")
    assert token_frequencies.read_frequencies("gpt2", 10).counted == 0
    token_frequencies.write_frequencies("gpt2", {3: 30, 1: 10}, source="a test")
    found = token_frequencies.read_frequencies("gpt2", 10)
    assert found.probabilities[3] == pytest.approx(0.75)
    assert says(found.sentence, "counted in a test", "40 tokens")
    assert token_frequencies.read_frequencies("gpt2", 3).counted == 0  # of another vocabulary


def test_a_text_is_counted_with_its_source(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(paths, "DATA", tmp_path)
    text = tmp_path / "words.txt"
    text.write_text("The cat\nThe dog\n")
    options = ["--model", str(DEMO_MODEL), "--text", str(text), "--source", "two lines"]
    assert count_tokens.main(options) == 0
    stored = json.loads((tmp_path / "token_frequencies" / "demo.json").read_text())
    assert stored["source"] == "two lines"
    assert max(stored["counts"].values()) == 2
    with pytest.raises(SystemExit):
        count_tokens.parse_arguments(["--text", str(text)])
    with pytest.raises(SystemExit):
        count_tokens.parse_arguments(["--model", "gpt2"])


def test_the_words_of_a_language_are_counted_by_their_frequency(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(paths, "DATA", tmp_path)
    assert count_tokens.main(["--model", str(DEMO_MODEL), "--wordfreq", "en"]) == 0
    stored = json.loads((tmp_path / "token_frequencies" / "demo.json").read_text())
    assert "wordfreq 3" in stored["source"]
    tokenizer = load_tokenizer(str(DEMO_MODEL))
    the, small = (tokenizer.encode(word, add_special_tokens=False) for word in (" the", " small"))
    assert len(the) == len(small) == 1
    ratio = stored["counts"][str(the[0])] / stored["counts"][str(small[0])]
    assert ratio > 50  # wordfreq: 5.4 % of all words against .03 %, more where words are split


def test_a_capital_letter_starts_one_word_in_ten_and_binned_numbers_are_no_words() -> None:
    words = dict(count_tokens._written_words({"cat": 1e-6, "00": 1e-3, "i'm": 1e-7}))
    assert words == {" cat": 90, " Cat": 10, " i'm": 9, " I'm": 1}


def test_whole_words_are_told_from_parts_of_words(tmp_path, monkeypatch) -> None:
    """Of "cat" three, of "dog" one; "gr" is a part twice, and a word once by a slip."""
    monkeypatch.setattr(paths, "DATA", tmp_path)
    tokenizer = load_tokenizer(str(DEMO_MODEL))
    cat, dog, part = (tokenizer.encode(f" {word}")[0] for word in ("cat", "dog", "gr"))
    tally = count_tokens.Tally(tokenizer)
    tally.add(tokenizer.encode(" cat cat, cat dog", add_special_tokens=False))
    rest = tokenizer.encode("umpy", add_special_tokens=False)
    tally.add([part, *rest], 2)
    tally.add([part])
    tally.add([rest[0], cat], 4)  # what stands before a word does not matter
    assert sorted(tally.words()) == sorted([cat, dog])
    assert tally.counts[cat] == 7
    token_frequencies.write_frequencies("x", tally.counts, source="a test", words=tally.words())
    found = token_frequencies.read_frequencies("x", 2816)
    assert sorted(found.words.tolist()) == sorted([cat, dog])
    token_frequencies.write_frequencies("x", tally.counts, source="a test")  # as before
    assert token_frequencies.read_frequencies("x", 2816).words is None


@pytest.mark.parametrize("model", ["demo", "smollm2-135m-instruct"])
def test_what_ships_knows_whole_words(model: str) -> None:
    found = token_frequencies.read_frequencies(model, 49_152)
    assert 1_000 < len(found.words) == len(found.words.unique())
    assert float(found.probabilities[found.words].sum()) > 0.5


def test_an_unknown_language_is_a_sentence(capsys) -> None:
    assert count_tokens.main(["--model", str(DEMO_MODEL), "--wordfreq", "xx"]) == 2
    assert "xx" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        count_tokens.parse_arguments(
            ["--text", "words.txt", "--source", "two lines", "--wordfreq", "en"]
        )


def run(*options: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "scripts.circuits", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.slow
def test_the_command_line_prints_a_table() -> None:
    result = run("--head", "L1H2", "--keys", "2", "--each", "3")
    assert result.returncode == 0
    assert result.stdout.startswith("# demo L1H2\n")
    assert result.stdout.count("## Key") == 2


def test_the_command_line_compares_heads_and_names_errors(tmp_path, capsys) -> None:
    out = tmp_path / "pairs.csv"
    assert script.main(["--composition", "K", "--out", str(out)]) == 0
    table = pd.read_csv(out, comment="#")
    assert list(table.iloc[0][["earlier", "later"]]) == ["L0H6", "L1H6"]
    assert len(table) == 384
    assert script.main(["--head", "L9H1"]) == 2
    assert "layers 0 to 3" in capsys.readouterr().err
    assert script.main(["--token", " cat", "--head", "L1H2", "--format", "csv"]) == 0
    assert '"·cat"' in capsys.readouterr().out


# ------------------------------------------------------------------ own words and sizes, all heads


WORDS = "cat\ndog\n\n  mat \ncat\nxylophonist\n"


def test_a_file_of_words_gives_their_tokens(demo) -> None:
    own = texts.read_words(WORDS, demo.tokenizer, name="mine.txt")
    forms = [form for word in ("cat", "dog", "mat") for form in (f" {word}", word)]
    ids = [texts.ids_of(demo.tokenizer, form) for form in forms]
    assert list(own.ids) == [one[0] for one in ids if len(one) == 1]
    assert own.left_out == ("xylophonist",)
    assert "xylophonist" in own.sentence


@pytest.mark.parametrize(
    "text", ["", "xylophonist\n", "\n\n", "a" * 300, "\n".join(map(str, range(20_001)))]
)
def test_a_file_of_words_that_cannot_be_used(demo, text: str) -> None:
    with pytest.raises(HeadrolesError):
        texts.read_words(text, demo.tokenizer, name="mine.txt")


def test_own_numbers_of_queries_and_outputs_are_the_beginning_of_longer_lists(demo) -> None:
    factors = qk_ov.head_factors(demo, Head(1, 2), CircuitSettings())
    even = qk_ov.uniform(factors.vocab_size)
    (whole,) = qk_ov.rows_for(factors, even, [300])
    (own,) = qk_ov.rows_for(factors, even, [300], each=3, outputs=5)
    assert own.queries == whole.queries[:3]
    assert own.promoted == whole.promoted[:5]
    assert own.suppressed == whole.suppressed[:5]


def test_words_of_a_file_are_the_only_ones_in_the_table(demo, tmp_path, capsys) -> None:
    file = tmp_path / "mine.txt"
    file.write_text(WORDS)
    options = ["--words", str(file), "--keys", "3", "--queries", "2", "--outputs", "4"]
    assert script.main([*options, "--head", "L1H2", "--format", "json"]) == 0
    printed = capsys.readouterr()
    assert "xylophonist" in printed.err
    told = json.loads(printed.out)
    ids = set(texts.read_words(WORDS, demo.tokenizer, name="x").ids)
    assert {row["key_id"] for row in told["rows"]} <= ids
    assert {row["token_id"] for row in told["rows"]} <= ids
    sizes = {which: sum(row["list"] == which for row in told["rows"]) / 3
             for which in ("query", "promoted", "suppressed")}  # fmt: skip
    assert sizes == {"query": 2, "promoted": 4, "suppressed": 4}
    factors = qk_ov.head_factors(demo, Head(1, 2), CircuitSettings())
    for row in told["rows"]:
        if row["list"] == "query":
            value = factors.qk([row["token_id"]], [row["key_id"]])
        else:
            value = factors.ov([row["key_id"]], [row["token_id"]])
        assert row["value"] == pytest.approx(float(value), abs=1e-4)


def test_all_heads_in_one_run_are_the_single_tables(tmp_path, capsys) -> None:
    folder = tmp_path / "tables"
    sizes = ["--model", "attn-only-2l-tiny", "--keys", "2", "--each", "2"]
    assert script.main([*sizes, "--all", "--folder", str(folder)]) == 0
    every = json.loads((folder / "all.json").read_text())
    assert len(list(folder.iterdir())) == 16 + 2
    assert len(every["rows"]) == 16 * 2 * 3 * 2
    capsys.readouterr()
    for label in ("L0H3", "L1H5"):
        assert script.main([*sizes, "--head", label, "--format", "json"]) == 0
        alone = json.loads(capsys.readouterr().out)["rows"]
        assert [{"head": label} | row for row in alone] == [
            row for row in every["rows"] if row["head"] == label
        ]
        table = pd.read_csv(folder / f"{label}.csv", comment="#")
        assert table["value"].tolist() == pytest.approx([row["value"] for row in alone])
    assert len(pd.read_csv(folder / "all.csv", comment="#")) == len(every["rows"])


def test_summary_and_composition_as_json_with_their_origin(capsys) -> None:
    model = ["--model", "attn-only-2l-tiny"]
    assert script.main([*model, "--summary", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["head"] for row in told["rows"]] == [h.label for h in Head.every(2, 8)]
    assert told["provenance"]["revision"]
    assert script.main([*model, "--composition", "V", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["rows"]) == 64
    assert told["provenance"]["kind"] == "V"
    scores = [row["score"] for row in told["rows"]]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--folder", "x"], "it is for --all"),
        (["--all", "--format", "markdown"], "only the table of one head"),
        (["--words", "no/such.txt"], "there is no such file"),
        (["--queries", "0"], "from 1 to 100"),
    ],
)
def test_a_mistake_of_the_tables_is_one_line(options, says, capsys) -> None:
    assert script.main(options) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert says in told
