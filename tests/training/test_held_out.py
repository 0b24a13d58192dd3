"""The passages beside the bundled models: reproducible, new to them, and readable by them."""

from __future__ import annotations

import shutil

import pytest
from transformers import AutoTokenizer

from headroles.analysis import load_bridge
from headroles.analysis.knockout import counted_positions, untouched
from headroles.models import model_revision
from headroles.paths import BUNDLED, DEMO_MODEL
from headroles.store import categories
from headroles.texts.probe_texts import held_out_sequences, sentence_sequences
from headroles.texts.sentences import HELD_OUT_FILE, HELD_OUT_TEXTS, HELD_OUT_TOKENS
from headroles.training import StoryGrammar, TrainingConfig
from headroles.training.held_out import LENGTH, PASSAGES, SEED_STEP, held_out_passages
from scripts import train_attention_only, train_demo_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(DEMO_MODEL)


def passages(folder) -> list[str]:
    return (folder / HELD_OUT_FILE).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("folder", BUNDLED.values(), ids=BUNDLED)
def test_every_bundled_model_has_them_and_its_card_says_so(folder, tokenizer):
    lines = passages(folder)
    assert len(set(lines)) == len(lines) == PASSAGES
    lengths = [len(tokenizer(line).input_ids) for line in lines]
    assert LENGTH[0] <= min(lengths) <= max(lengths) <= LENGTH[1]
    card = (folder / "README.md").read_text(encoding="utf-8")
    for fact in (
        HELD_OUT_FILE,
        f"{PASSAGES} passages",
        f"seed {TrainingConfig().seed + SEED_STEP}",
    ):
        assert fact in card


def test_the_committed_ones_are_what_the_script_makes(tmp_path):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(DEMO_MODEL / name, tmp_path)
    assert train_demo_model.main(["--held-out-only", "--out", str(tmp_path)]) == 0
    assert passages(tmp_path) == passages(DEMO_MODEL)
    small = ["--held-out-only", "--layers", "2", "--out", str(tmp_path)]
    assert train_attention_only.main(small) == 0
    assert passages(tmp_path) == passages(BUNDLED["attn-only-2l-tiny"])


def test_none_is_a_passage_of_the_training(tokenizer):
    config = TrainingConfig(passages=3_000)
    trained_on = set(StoryGrammar(0).passages(3_000))
    kept = held_out_passages(tokenizer, config)
    assert not trained_on & set(kept)
    # The grammar repeats itself, so leaving them out is not for nothing.
    more = TrainingConfig(passages=30_000)
    assert held_out_passages(tokenizer, more, count=400) != held_out_passages(
        tokenizer, TrainingConfig(passages=0), count=400
    )


def test_the_model_reads_them_far_better_than_the_projects_sentences(tokenizer):
    bridge = load_bridge("demo")

    def loss(texts) -> float:
        return float(untouched(bridge, texts, counted_positions(texts, "sentences")).loss.mean())

    own = loss(held_out_sequences(tokenizer, str(DEMO_MODEL)))
    assert own < 2.5
    assert loss(sentence_sequences(tokenizer)) > 3 * own


def test_the_bundled_models_proof_on_text_is_from_them():
    for key in BUNDLED:
        evidence = categories.read_entry(key).causal
        on_text = [one for one in evidence.values() if one.measured_on != "repeats"]
        assert on_text
        for one in on_text:
            assert (one.measured_on, one.n, one.can_read) == ("held_out", PASSAGES, True)


def test_a_folder_without_them_gives_none_and_long_lines_are_cut(tmp_path, tokenizer):
    assert held_out_sequences(tokenizer, str(tmp_path)) is None
    assert held_out_sequences(tokenizer, "gpt2") is None
    path = tmp_path / HELD_OUT_FILE
    path.write_text("\n \nThe cat\n", encoding="utf-8")
    assert held_out_sequences(tokenizer, str(tmp_path)) is None  # one passage has no error
    path.write_text("\n".join(["The cat sat. " * 40, "", "the", *["A dog ran."] * 99]), "utf-8")
    found = held_out_sequences(tokenizer, str(tmp_path))
    assert int(found.lengths.max()) == HELD_OUT_TOKENS
    assert len(found) == HELD_OUT_TEXTS - 1  # a word alone has nothing to guess
    assert bool((found.token_ids[:, 0] == 0).all())


def test_the_file_leaves_the_revision_alone(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    before = model_revision(str(tmp_path))
    (tmp_path / HELD_OUT_FILE).write_text("The cat sat.\n", encoding="utf-8")
    assert model_revision(str(tmp_path)) == before
    for key, folder in BUNDLED.items():
        assert categories.read_entry(key).revision == model_revision(str(folder))
