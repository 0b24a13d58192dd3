"""What a lesson's numbers are, against other ways to them: transformers' own model and plain hooks.

Nothing that the measures are made of is used for the numbers expected here, but the tokens of a
prompt and the mean outputs over reference text.
"""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor

from headroles import head_detection, paths, texts
from headroles.ablation.run import reference_means
from headroles.capture import capture
from headroles.lessons import answers, measuring
from headroles.lessons.lesson import Active, Case, Cells, Largest, Value, Wake
from headroles.models import LoadedModel, load_model
from headroles.types import Head
from tests.plain_hooks import PlainModel

CAT = "The cat sat on the mat. The cat sat on the mat."
CUT = "The cat sat on the mat. The cat"
SHOP = "Every morning we open a small shop near the river."
ASKED = {"key": "a", "title": "A", "question": "?", "explain": "!"}
HEAD = Head(1, 4)


@pytest.fixture(scope="module")
def demo() -> LoadedModel:
    return load_model("demo")


@pytest.fixture(scope="module")
def plain() -> PlainModel:
    return PlainModel(paths.DEMO_MODEL, 8)


def ids_of(demo: LoadedModel, prompt: str) -> list[int]:
    return list(texts.encode(demo.tokenizer, prompt, max_tokens=demo.max_tokens).token_ids)


@pytest.fixture(scope="module")
def cat(demo: LoadedModel, plain: PlainModel) -> tuple[list[int], Tensor]:
    """The tokens of CAT, and [layer head query key] transformers' own attention on them."""
    ids = ids_of(demo, CAT)
    return ids, plain.attention(torch.tensor([ids]))


def after_copies(ids: list[int]) -> dict[int, list[int]]:
    """{query: the places after its earlier copies}, S(q) = {k+1 : t[k] = t[q], k+1 < q-1}."""
    found = {q: [k + 1 for k in range(1, q - 2) if ids[k] == ids[q]] for q in range(len(ids))}
    return {q: keys for q, keys in found.items() if keys}


def share(pattern: Tensor, ids: list[int]) -> Tensor:
    """[layer head] attention after earlier copies, out of what does not rest in the same rows."""
    cells = after_copies(ids)
    caught = sum(pattern[:, :, q, keys].sum(-1) for q, keys in cells.items())
    return caught / sum(pattern[:, :, q, 1 : q + 1].sum(-1) for q in cells)


def test_attention_is_transformers_own(demo: LoadedModel, cat: tuple) -> None:
    ids, pattern = cat
    case = Case(prompt=CAT, head="L1H4", query=9, key=3)
    assert measuring.attention(demo, case) == pytest.approx(float(pattern[1, 4, 9, 3]), abs=1e-5)
    by_word = Case(prompt=CAT, head="L1H4", query="cat", key="sat")
    second = max(place for place, one in enumerate(ids) if one == ids[2])
    assert (ids[2], second) == (ids[9], 9)
    assert measuring.attention(demo, by_word) == pytest.approx(float(pattern[1, 4, 9, 3]), abs=1e-5)
    assert measuring.attention(demo, Case(prompt=CAT, head="L1H4", query=3, key=9)) == 0


def test_activation_and_chance_are_shares_of_the_rows_that_have_a_copy(
    demo: LoadedModel, cat: tuple
) -> None:
    ids, pattern = cat
    case = Case(prompt=CAT, head="L1H4", role="induction")
    expected = float(share(pattern, ids)[1, 4])
    assert measuring.activation(demo, case) == pytest.approx(expected, abs=1e-5)
    even = torch.ones_like(pattern).tril() / torch.arange(1, len(ids) + 1)[:, None]
    case = Case(prompt=CAT, role="induction")
    expected = float(share(even, ids)[0, 0])
    assert measuring.chance(demo, case) == pytest.approx(expected, abs=1e-5)


def test_resting_is_the_mean_of_the_first_column(demo: LoadedModel, cat: tuple) -> None:
    _, pattern = cat
    expected = float(pattern[1, 4, 1:, 0].mean())
    found = measuring.resting(demo, Case(prompt=CAT, head="L1H4"))
    assert found == pytest.approx(expected, abs=1e-5)


def test_heads_above_a_line_are_counted_by_hand(demo: LoadedModel, cat: tuple) -> None:
    ids, pattern = cat
    means = share(pattern, ids)
    for line in (0.1, 0.3, 0.6):
        case = Case(prompt=CAT, role="induction", line=line)
        assert measuring.heads_above(demo, case) == int((means >= line).sum())


def test_a_score_is_what_the_analysis_wrote(demo: LoadedModel) -> None:
    plain = json.loads(paths.CATEGORIES.read_text(encoding="utf-8"))
    entry = plain.get("demo") or plain["models"]["demo"]
    found = measuring.score(demo, Case(head="L1H4", role="induction"))
    assert found == entry["all_scores"]["induction"][1][4]


def test_probability_and_loss_are_those_of_the_plain_model(
    demo: LoadedModel, plain: PlainModel
) -> None:
    ids = torch.tensor([ids_of(demo, CUT)])
    logits = plain.logits(ids)[0].double()
    token = demo.tokenizer.encode(" sat", add_special_tokens=False)[0]
    expected = float(torch.softmax(logits[-1], 0)[token])
    found = measuring.probability(demo, Case(prompt=CUT, token=" sat"))
    assert found == pytest.approx(expected, abs=1e-5)
    expected = float(torch.nn.functional.cross_entropy(logits[:-1], ids[0, 1:]))
    assert measuring.loss(demo, Case(prompt=CUT)) == pytest.approx(expected, abs=1e-4)


def test_a_knock_out_is_that_of_a_hook_written_by_hand(
    demo: LoadedModel, plain: PlainModel
) -> None:
    ids = torch.tensor([ids_of(demo, CAT)])
    mean = reference_means(demo).z[HEAD.layer][HEAD.head]
    projection = plain.projection(HEAD.layer)

    def without(module, args):
        z = args[0].unflatten(-1, (8, -1)).clone()
        z[..., HEAD.head, :] = mean
        return (z.flatten(-2),)

    clean = plain.logits(ids)[0].double()
    handle = projection.register_forward_pre_hook(without)
    try:
        changed = plain.logits(ids)[0].double()
    finally:
        handle.remove()
    loss = torch.nn.functional.cross_entropy
    expected = float(loss(changed[:-1], ids[0, 1:]) - loss(clean[:-1], ids[0, 1:]))
    assert expected > 0.01  # it does something
    case = Case(prompt=CAT, without=("L1H4",))
    assert measuring.loss_rise(demo, case) == pytest.approx(expected, abs=1e-4)
    token = demo.tokenizer.encode(" The", add_special_tokens=False)[0]
    expected = float(torch.softmax(changed[-1], 0)[token])
    case = Case(prompt=CAT, token=" The", without=("L1H4",))
    assert measuring.probability(demo, case) == pytest.approx(expected, abs=1e-5)


def test_a_contribution_is_what_is_missing_when_all_behind_the_head_stays(
    demo: LoadedModel, plain: PlainModel
) -> None:
    ids = torch.tensor([ids_of(demo, CUT)])
    direct, _ = plain.direct(ids, HEAD)
    sat, on = (demo.tokenizer.encode(word, add_special_tokens=False)[0] for word in (" sat", " on"))
    found = measuring.contribution(demo, Case(prompt=CUT, head="L1H4", token=" sat"))
    assert found == pytest.approx(float(direct[-1, sat]), abs=1e-3)
    case = Case(prompt=CUT, head="L1H4", token=" sat", against=" on")
    expected = float(direct[-1, sat] - direct[-1, on])
    assert measuring.contribution(demo, case) == pytest.approx(expected, abs=1e-3)


# ------------------------------------------------------------------ answers


def test_rows_of_cells_are_the_pattern_or_shares_of_what_does_not_rest(
    demo: LoadedModel, cat: tuple
) -> None:
    _, pattern = cat
    plain = {"kind": "cells", "prompt": CAT, "head": "L1H4", "queries": [9, 4], **ASKED}
    found = answers.answer(Cells(**plain), demo)
    for query, row, rest in zip((9, 4), found.rows, found.resting, strict=True):
        assert row == pytest.approx(pattern[1, 4, query, : query + 1].tolist(), abs=1e-5)
        assert rest == pytest.approx(float(pattern[1, 4, query, 0]), abs=1e-5)
    found = answers.answer(Cells(**plain, without_first=True), demo)
    for query, row in zip((9, 4), found.rows, strict=True):
        kept = pattern[1, 4, query, 1 : query + 1]
        assert row == pytest.approx([0, *(kept / kept.sum()).tolist()], abs=1e-4)


@pytest.mark.parametrize("prompt", [CAT, SHOP, "one"])
def test_verdicts_are_those_of_the_summary(demo: LoadedModel, prompt: str) -> None:
    summary = head_detection.get_active_head_summary(capture(demo, prompt), "demo")
    roles = [role for role in ("induction", "previous_token", "positional") if summary.get(role)]
    asked = Active(kind="active", prompt=prompt, options=tuple(roles), **ASKED)
    for role, option in zip(roles, answers.answer(asked, demo).options, strict=True):
        assert option.is_right == any(head["is_active"] for head in summary[role])
    first = summary["induction"][0]
    woken = answers.wakes(Wake(kind="wake", role="induction", solution=CAT, **ASKED), demo, prompt)
    assert (woken.head, woken.state) == (first["label"], first["state"])
    assert woken.value == pytest.approx(first["activation_score"])
    assert woken.needed == pytest.approx(first["needed"])


def test_the_largest_is_right_unless_all_lie_within_the_same(demo: LoadedModel) -> None:
    options = [{"label": "twice", "prompt": CAT}, {"label": "once", "prompt": SHOP}]
    asked = {
        "kind": "largest",
        "measure": "activation",
        "case": {"head": "L1H4", "role": "induction"},
        "options": options,
        **ASKED,
    }
    for within, right in ((None, [True, False]), (0.1, [True, False, False]),
                          (1.0, [False, False, True])):  # fmt: skip
        found = answers.answer(Largest(**asked, same_within=within), demo)
        assert [option.is_right for option in found.options] == right


def test_a_number_is_its_measures(demo: LoadedModel) -> None:
    case = {"prompt": CAT, "role": "induction"}
    asked = Value(
        kind="number", measure="chance", case=case, low=0, high=1, step=0.1, within=0.1, **ASKED
    )
    assert answers.answer(asked, demo).value == measuring.chance(demo, Case(**case))
