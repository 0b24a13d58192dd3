"""Copy suppression on real text: which tokens are drawn, and the score a second way."""

from __future__ import annotations

import pytest
import torch

from headroles import attribution, models
from headroles.attribution import copy_suppression as suppression
from headroles.attribution.recording import record_rows
from headroles.attribution.records import Target
from headroles.roles import ROLES
from headroles.store.real_text import CopySuppression
from headroles.texts import encode
from headroles.view import real_text
from tests.corpus.passes import by_hand


def test_a_token_with_an_earlier_copy_is_drawn_once_per_passage() -> None:
    corpus = by_hand((0, 1, 2, 3, 1, 4), (0, 5, 6, 7), (0, 8, 9, 10, 8))
    cells = list(ROLES["induction"].cells(corpus.prompts))
    ids = [one.token_ids for one in corpus.encodings]
    rows = {row.passage: row for row in suppression.draw_rows(ids, cells)}
    assert rows.keys() == {0, 2}
    assert rows[0].token_ids == (0, 1, 2, 3, 1)
    assert rows[0].keys == (2,)
    assert rows[0].other != 2
    assert len(suppression.draw_rows(ids, cells, n=1)) == 1
    assert suppression.draw_rows(ids, cells, seed=5) == suppression.draw_rows(ids, cells, seed=5)


def test_the_score_is_the_contribution_less_that_of_the_mean_token() -> None:
    """Every token of the vocabulary taken apart on its own, and averaged."""
    loaded = models.load_model("demo")
    ids = encode(loaded.tokenizer, "The cat sat on the mat. The cat").token_ids
    last = len(ids) - 1
    copies = [k for k in range(1, last) if ids[k] == ids[last]]
    row = suppression.Row(0, ids, (copies[0] + 1,), ids[-3])
    (seen,) = record_rows(loaded, [ids], logits=True)

    def by_key(token: int) -> torch.Tensor:
        target = Target(token, "", None, "", False)
        return attribution.project(loaded, seen, target).by_key[..., row.keys[0]]

    vocabulary = loaded.model.get_output_embeddings().weight.shape[0]
    mean = sum(by_key(token) for token in range(vocabulary)) / vocabulary
    found = suppression.measure(loaded, [row, row])
    torch.testing.assert_close(found.mean, by_key(ids[row.keys[0]]) - mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.control, by_key(row.other) - mean, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.error, torch.zeros(4, 8), atol=1e-6, rtol=0)
    assert found.rows == 2


def test_the_induction_heads_of_the_bundled_model_write_for_what_they_look_at() -> None:
    loaded = models.load_model("demo")
    ids = encode(loaded.tokenizer, "Tom saw the red ball. Anna ran home. Tom saw the red").token_ids
    corpus = by_hand(ids)
    rows = suppression.draw_rows([ids], list(ROLES["induction"].cells(corpus.prompts)))
    found = suppression.measure(loaded, rows)
    assert float(found.mean.max()) > 0.1


@pytest.mark.parametrize(
    ("value", "error", "clear"),
    [(-0.5, 0.01, True), (-0.5, 0.5, False), (-0.5, 0.2, False), (-0.01, 0.001, False)],
)
def test_the_sentence_names_a_head_only_where_it_is_clear(value, error, clear) -> None:
    """2.5 errors are no more than the lowest of hundreds of heads has by chance."""
    found = CopySuppression(
        tokens=9, mean=[[value, 0.2]], error=[[error, 0.01]], control=[[0.0, 0.0]],
        control_error=[[0.0, 0.0]],
    )  # fmt: skip
    said = real_text.suppression_sentence(found)
    assert ("L0H0" in said) == clear
    assert "L0H1" in said
    assert [row[0] for row in real_text.suppression_rows(found)] == ["L0H0", "L0H1"]
