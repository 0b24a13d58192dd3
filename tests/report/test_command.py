"""The command that writes a report, and what it reads from the weights."""

from __future__ import annotations

import re

import pytest
import torch

from headroles import models, store
from headroles.circuits import composition, overview, summarise
from headroles.circuits.qk_ov import CircuitSettings
from headroles.circuits.weights import embedding, layer_weights
from headroles.store.categories import to_json
from headroles.types import Head
from headroles.view.report import gather, weight_heads
from scripts import command_line, report
from tests.report.reading import Page, markdown_tables, without_maps

TWO = "attn-only-2l-tiny"


def test_both_files_with_circuits_and_a_prompt(tmp_path, capsys) -> None:
    html, markdown = tmp_path / "r.html", tmp_path / "sub" / "r.md"
    prompt = "The cat sat on the mat. The cat"
    for out in (html, markdown):
        assert report.main([TWO, "--out", str(out), "--prompt", prompt]) == command_line.DONE
    assert str(html) in capsys.readouterr().out
    first = [row for table in Page(html.read_text()).tables for row in table]
    second = [row for table in without_maps(markdown_tables(markdown.read_text())) for row in table]
    assert [[" ".join(cell.split()) for cell in row] for row in first] == second
    assert "cat sat on the mat" in markdown.read_text()
    assert "K-composition" in markdown.read_text()


def test_the_links_are_the_largest_of_all_pairs(tmp_path) -> None:
    out = tmp_path / "r.md"
    assert report.main([TWO, "--out", str(out)]) == command_line.DONE
    loaded = models.load_model(TWO)
    tables = {
        table[1][0]: table for table in markdown_tables(out.read_text()) if "→" in table[1][0]
    }
    assert len(tables) >= 1
    found = [
        table for table in markdown_tables(out.read_text()) if table[0][0].startswith("Writes")
    ]
    assert len(found) == 3
    for kind, (_, *rows) in zip("QKV", found, strict=True):
        wanted = _naive(loaded, kind)
        best = sorted(wanted, key=wanted.get, reverse=True)[: len(rows)]
        assert [row[0] for row in rows] == best
        for row in rows:
            assert float(row[1]) == pytest.approx(wanted[row[0]], abs=6e-4)


def _naive(loaded, kind: str) -> dict[str, float]:
    """{pair: score} from whole matrices, one pair at a time."""
    scores = {}
    first, second = layer_weights(loaded, 0), layer_weights(loaded, 1)
    for earlier in range(loaded.num_heads):
        ov = first.W_V[first.kv_of[earlier]] @ first.W_O[earlier]
        for later in range(loaded.num_heads):
            qk = second.W_Q[later] @ second.W_K[second.kv_of[later]].T
            read = {"Q": qk, "K": qk.T}.get(kind)
            if read is None:
                read = second.W_V[second.kv_of[later]] @ second.W_O[later]
            read = _folded(loaded, read, kind)
            norms = torch.linalg.matrix_norm(ov) * torch.linalg.matrix_norm(read)
            pair = f"{Head(0, earlier).label} → {Head(1, later).label}"
            scores[pair] = float(torch.linalg.matrix_norm(ov @ read) / norms)
    return scores


def _folded(loaded, read: torch.Tensor, kind: str) -> torch.Tensor:
    """With the later layer's norm folded into what reads the stream (both sides of QK)."""
    from headroles.circuits import attention_norm

    norm = attention_norm(loaded, 1)
    if norm is None:
        return read

    def fold(matrix: torch.Tensor) -> torch.Tensor:
        matrix = matrix * norm.weight[:, None]
        return matrix - matrix.mean(0, keepdim=True) if norm.kind == "LayerNorm" else matrix

    folded = fold(read)
    return fold(folded.T).T if kind in "QK" else folded


def test_strongest_is_worked_out_by_hand() -> None:
    heads = (Head(0, 0), Head(0, 1), Head(1, 0), Head(1, 1))
    score = torch.full((4, 4), torch.nan)
    score[:2, 2:] = torch.tensor([[0.2, 0.9], [0.2, 0.1]])
    links = overview.strongest(composition.Composition("K", score, 0.125, 0.01, 32, heads), most=3)
    assert [(first.label, second.label) for first, second, _ in links.pairs] == [
        ("L0H0", "L1H1"), ("L0H0", "L1H0"), ("L0H1", "L1H0"),
    ]  # fmt: skip
    assert [value for _, _, value in links.pairs] == pytest.approx([0.9, 0.2, 0.2])
    assert (links.out_of, links.baseline, links.draws) == (4, 0.125, 32)


def test_the_steps_give_what_the_pages_compute() -> None:
    loaded = models.load_model(TWO)
    likely = store.read_frequencies(TWO, len(embedding(loaded))).probabilities
    heads, told = [Head(0, 1), Head(1, 3)], []
    found = overview.read(loaded, heads, likely, progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (len(told), 3 + 2)
    assert found.summaries == tuple(
        summarise(loaded, head, CircuitSettings(), likely) for head in heads
    )
    for links in found.links:
        whole = composition.composition(loaded, links.kind).score
        assert links.pairs[0][2] == pytest.approx(float(whole[~whole.isnan()].max()))
    assert found.revision == loaded.revision


def test_a_model_of_one_layer_has_no_links(tmp_path) -> None:
    out = tmp_path / "r.md"
    assert report.main(["attn-only-1l-tiny", "--out", str(out)]) == command_line.DONE
    text = out.read_text()
    assert "one layer" in text
    assert not re.search(r"L\d+H\d+ → L\d+H\d+", text)  # as links are written
    assert "What heads copy" in text


def test_of_a_large_model_only_listed_heads_are_read() -> None:
    entry = gather("smollm2-135m-instruct").entry
    heads = weight_heads(entry)
    listed = {head for key in entry.categories if key != "other" for head in entry.listed(key)}
    assert set(heads) == listed
    assert heads == sorted(heads)
    assert weight_heads(gather("demo").entry) == Head.every(4, 8)


def test_other_weights_cost_the_circuits_and_refuse_a_prompt(tmp_path, capsys) -> None:
    entry = store.read_entry(TWO).model_copy(update={"revision": "sha256:0123456789abcdef"})
    scores, out = tmp_path / "scores.json", tmp_path / "r.html"
    scores.write_text(to_json({TWO: entry}))
    command = [TWO, "--categories", str(scores), "--out", str(out)]
    assert report.main(command) == command_line.DONE
    assert "without circuits" in capsys.readouterr().err
    assert "measured on other weights" in out.read_text()
    out.unlink()
    assert report.main([*command, "--prompt", "a b"]) == command_line.UNUSABLE
    assert not out.exists()
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["demo", "--out", "report.pdf"], "must end in .html or .md"),
        (["demo", "--out", "/"], "is a folder"),
        (["demo", "--prompt", ""], "it is empty"),
        (["gpt2", "--no-circuits"], "analyze_heads"),
        (["no such model", "--no-circuits"], "no such model"),
        (["demo", "--categories", "/no/such/file"], "no such file"),
    ],
)
def test_what_cannot_be_used_is_one_line(arguments, says, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert report.main(arguments) == command_line.UNUSABLE
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_file_has_a_name_of_its_own_without_one(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    entry = store.read_entry("demo").model_copy(update={"model_name": "org/My <Model>"})
    (tmp_path / "scores.json").write_text(to_json({"org/My <Model>": entry}))
    command = ["org/My <Model>", "--no-circuits", "--categories", "scores.json"]
    assert report.main(command) == command_line.DONE
    assert (tmp_path / "headroles_org-My-Model_report.html").is_file()
