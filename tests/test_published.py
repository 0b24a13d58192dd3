"""Precision, recall and ranks by hand, the command on a model on disk, and on a real GPT-2."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from headroles.errors import KnownHeadsError, UnknownHeadError
from headroles.paths import ROOT
from headroles.reference.published import compare
from headroles.roles import KnownHead, named_heads
from headroles.types import Head
from scripts import check_known_heads
from scripts.check_known_heads import DONE, SKIPPED
from tests.facts import says
from tests.pages.planted import planted_entry

# Induction scores; the analysis lists the first three of the order L0H1 .9, L1H0 .8, L0H3 .8,
# L1H2 .3, L0H0 .1 and zeros.
SCORES = [
    [0.1, 0.9, 0.0, 0.8, 0.0, 0.0, 0.0, 0.0],
    [0.8, 0.0, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.0] * 8,
    [0.0] * 8,
]
LISTED = [Head(0, 1), Head(1, 0), Head(0, 3)]


@pytest.fixture
def entry():
    from headroles.store import categories

    made = planted_entry(4, 8)
    tops = [
        categories.TopHead(layer=head.layer, head=head.head, score=0.9, standard_error=0.01)
        for head in LISTED
    ]
    induction = made.categories["induction"].model_copy(
        update={"threshold": 0.25, "top_heads": tops}
    )
    return made.model_copy(
        update={
            "all_scores": {**made.all_scores, "induction": SCORES},
            "categories": {**made.categories, "induction": induction},
        }
    )


def named(*labels: str, role: str = "induction", basis: str = "pattern") -> list[KnownHead]:
    return [KnownHead(Head.parse(label), role, basis, "A paper") for label in labels]


def test_precision_and_recall_by_hand(entry) -> None:
    # Named: L0H1 twice (two papers), L1H0, L1H2, L1H7. Of the 3 listed 2 are named, of the 4 named
    # 2 are listed; three of 32 heads at random would catch 3/32 of them.
    known = named("L0H1", "L1H0", "L1H2", "L1H7") + named("L0H1")
    one = compare(entry, known).agreements["induction"]
    assert one.both == {Head(0, 1), Head(1, 0)}
    assert one.precision == pytest.approx(2 / 3)
    assert one.recall == pytest.approx(2 / 4)
    assert one.chance_recall == pytest.approx(3 / 32)


def test_ranks_by_hand_with_a_tie(entry) -> None:
    found = compare(entry, named("L0H1", "L1H0", "L0H3", "L1H2", "L0H0", "L1H7"))
    assert [one.rank for one in found.placed] == [1, 2, 2, 4, 5, 6]
    assert [one.is_over for one in found.placed] == [True, True, True, True, False, False]
    assert [one.is_listed for one in found.placed] == [True, True, True, False, False, False]
    assert found.out_of == 32


def test_heads_named_for_their_effect_have_a_rank_and_count_in_no_list(entry) -> None:
    known = named("L0H1") + named("L1H2", basis="function") + named("L0H0", role="name_mover")
    found = compare(entry, known)
    assert found.agreements["induction"].named == {Head(0, 1)}
    assert [one.known.head.label for one in found.placed] == ["L0H1", "L1H2"]


def test_where_nothing_is_listed_or_named_there_is_no_number(entry) -> None:
    none = entry.categories["induction"].model_copy(update={"top_heads": []})
    empty = entry.model_copy(update={"categories": {**entry.categories, "induction": none}})
    one = compare(empty, named("L0H1")).agreements["induction"]
    assert (one.precision, one.recall) == (None, 0)
    assert compare(entry, named("L0H1", basis="function")).agreements == {}


def test_a_head_that_the_model_does_not_have_is_named(entry) -> None:
    with pytest.raises(UnknownHeadError, match="L4H0"):
        compare(entry, named("L4H0"))


# ------------------------------------------------------------------ the command


@pytest.fixture(scope="module")
def gpt2_folder(tmp_path_factory):
    """A small GPT-2 with random weights; its context holds the texts of the analysis."""
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    from headroles.paths import DEMO_MODEL

    folder = tmp_path_factory.mktemp("gpt2") / "tiny-gpt2"
    tokenizer = AutoTokenizer.from_pretrained(DEMO_MODEL)
    torch.manual_seed(0)
    config = GPT2Config(
        n_embd=32, n_layer=2, n_head=4, vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=0
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_the_command_on_a_model_on_disk(gpt2_folder, tmp_path, capsys) -> None:
    from headroles.analysis.run import analyze
    from headroles.reference.selection import AnalysisSettings

    entry = analyze(str(gpt2_folder), AnalysisSettings(sequences=4, seed=0))
    scores = entry.all_scores["previous_token"]
    order = sorted(
        (Head(layer, head) for layer in range(2) for head in range(4)),
        key=lambda head: -scores[head.layer][head.head],
    )
    file = tmp_path / "known.json"
    rows = [{"heads": [order[0].label, order[-1].label], "basis": "pattern", "source": "A paper"}]
    file.write_text(json.dumps({"tiny-gpt2": {"previous_token": rows, "name_mover": rows}}))
    arguments = [str(gpt2_folder), "--known", str(file), "--sequences", "4"]

    assert check_known_heads.main([*arguments, "--json"]) == DONE
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["rank"] for row in found["heads"]] == [1, 8]
    listed = {
        Head(top.layer, top.head).label for top in entry.categories["previous_token"].top_heads
    }
    both = listed & {order[0].label, order[-1].label}
    assert found["roles"]["previous_token"]["recall"] == len(both) / 2
    assert set(found["roles"]["previous_token"]["listed"]) == listed

    assert check_known_heads.main(arguments) == DONE
    text = capsys.readouterr().out
    assert "| role | listed | named | both | precision | recall | recall by chance |" in text
    assert f"| Previous token | {order[0].label} | pattern |" in text
    assert "A paper |" in text


def test_a_model_of_which_no_paper_speaks_is_said(capsys) -> None:
    assert check_known_heads.main(["demo"]) == 2
    assert says(capsys.readouterr().err, "No source", "'demo'")


@pytest.mark.parametrize("content", ["{", "[]", '{"a": {"induction": 1}}', '{"a": {"b": [{}]}}'])
def test_a_file_that_is_none_is_refused(tmp_path, content: str) -> None:
    file = tmp_path / "known.json"
    file.write_text(content)
    with pytest.raises(KnownHeadsError, match=r"known\.json cannot be read"):
        named_heads("a", path=file)


def test_without_a_network_it_is_skipped_with_the_reason(tmp_path, capsys, monkeypatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("headroles.models.hub.cached", lambda *_a, **_k: None)
    assert check_known_heads.main([]) == SKIPPED
    said = capsys.readouterr().out
    assert says(said, "skipped", "'gpt2'")
    assert "HF_HUB_OFFLINE" in said


@pytest.mark.slow
def test_on_a_real_gpt2() -> None:
    """The reader's own command; it downloads GPT-2 once, where the Hub can be reached."""
    import os

    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    result = subprocess.run(
        [sys.executable, "-m", "scripts.check_known_heads", "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    if result.returncode == SKIPPED:
        pytest.skip(result.stdout.strip().splitlines()[-1])
    assert result.returncode == DONE, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    ranks = {
        (row["role"], row["head"]): row["rank"]
        for row in found["heads"]
        if row["basis"] == "pattern"
    }
    assert ranks["previous_token", "L4H11"] <= 2
    assert all(rank <= 12 for (role, _), rank in ranks.items() if role == "induction")
    assert found["roles"]["induction"]["recall"] >= 0.6
