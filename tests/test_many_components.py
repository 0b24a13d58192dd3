"""Components as rows of a table of many prompts, beside heads: what each is compared with."""

from __future__ import annotations

import pytest

from headroles import ablation, circuits, export
from headroles.ablation import ALL_COMPONENTS, Settings, removal
from headroles.ablation.conditions import UNTOUCHED, Condition, HeadOutput
from headroles.ablation.many_prompts import assemble, draw_others, summarise, tabulate_prompt
from headroles.circuits import SVD, TRAINED, factors_at, places_of
from headroles.circuits.trained_components import Factors
from headroles.models import load_model
from headroles.texts import ReadyPrompt, encode
from headroles.types import ComponentSet, Head

PROMPT = ReadyPrompt("Own", "The cat sat on the mat. The cat", " sat")
SETS = ComponentSet.parse_all("L0Q0, L0K1; L1V0 @ H1")


@pytest.fixture
def loaded(monkeypatch):
    """The bundled model, with components that are nearly its weights."""
    found = load_model("demo")
    made = {}
    for place in places_of(found, SVD):
        svd = factors_at(found, SVD, place)
        made[place] = Factors(svd.U, svd.V * 0.97)
    monkeypatch.setitem(found.tools, "components-trained", made)
    monkeypatch.setitem(found.tools, "components-alive", {})
    return found


def made(loaded, kind, heads=()):
    settings = Settings(heads, draws=3, sets=SETS, kind=kind)
    parts = [tabulate_prompt(loaded, PROMPT, settings), draw_others(loaded, PROMPT, settings)]
    tables, left_out = assemble(parts)
    assert not left_out
    return tables, settings


def lost(loaded, before, after):
    """Nats that the answer loses from one run to another, by two runs of their own."""
    encoding = encode(loaded.tokenizer, PROMPT.prompt)
    answer = loaded.tokenizer.encode(PROMPT.answer)[0]
    _, *both = ablation.ablate(loaded, encoding, [before, after])
    first, second = (outcome.logits.double().log_softmax(-1)[answer] for outcome in both)
    return float(first - second)


def test_trained_components_are_compared_with_all_of_them_and_heads_with_the_model(loaded):
    (table,), _ = made(loaded, TRAINED, (Head(0, 1),))
    by_name = {row.name: row for row in table.rows}
    every, without = by_name["all components"], by_name["without L0Q0, L0K1"]
    head = by_name["L0H1 to zero"]
    assert every.comparison.surprise == pytest.approx(
        lost(loaded, UNTOUCHED, ALL_COMPONENTS), abs=1e-4
    )
    assert abs(every.comparison.surprise) > 1e-4
    assert without.comparison.surprise == pytest.approx(
        lost(loaded, ALL_COMPONENTS, removal(SETS[0])), abs=1e-4
    )
    assert head.comparison.surprise == pytest.approx(
        lost(loaded, UNTOUCHED, Condition("", (HeadOutput((Head(0, 1),)),))), abs=1e-4
    )
    assert [row.beside_all for row in (every, without, head)] == [False, True, False]
    assert every.is_baseline
    assert not every.others
    assert len(without.others) == len(head.others) == 3


def test_random_components_are_compared_with_all_of_them_too(loaded):
    (table,), _ = made(loaded, TRAINED)
    assert [row.name for row in table.rows] == [
        "all components", "without L0Q0, L0K1", "without L1V0 @ L1H1",
    ]  # fmt: skip
    row = table.rows[1]
    control = ablation.random_components(removal(SETS[0]), loaded, draws=3)
    for other, found in zip(control.conditions, row.others, strict=True):
        assert found == pytest.approx(lost(loaded, ALL_COMPONENTS, other), abs=1e-4)
    assert row.control == control.note


def test_components_of_the_svd_need_no_second_model(loaded):
    (table,), _ = made(loaded, SVD)
    assert [row.name for row in table.rows] == ["without L0Q0, L0K1", "without L1V0 @ L1H1"]
    row = table.rows[0]
    assert not row.beside_all
    assert row.comparison.surprise == pytest.approx(
        lost(loaded, UNTOUCHED, removal(SETS[0], SVD)), abs=1e-4
    )


def test_a_table_without_the_row_of_all_components_still_compares_with_them(loaded):
    table = ablation.tabulate(loaded, PROMPT.prompt, [removal(SETS[0])], answer=PROMPT.answer)
    assert [row.name for row in table.rows] == ["without L0Q0, L0K1"]
    assert table.rows[0].beside_all
    assert table.rows[0].comparison.surprise == pytest.approx(
        lost(loaded, ALL_COMPONENTS, removal(SETS[0])), abs=1e-4
    )


def test_every_output_says_what_a_row_is_compared_with(loaded):
    tables, settings = made(loaded, TRAINED, (Head(0, 1),))
    rows = summarise(tables)
    said = export.many_prompts.about_summary(rows)
    assert "compared with “all components”" in said
    assert "other components of the same matrices" in said
    headline = ablation.many_prompts.headline(rows)
    assert "of your heads and components" in headline
    assert "all components" not in headline
    files = {row["condition"]: row["compared_with"] for row in
             export.many_prompts.summary_rows(rows)}  # fmt: skip
    assert files["without L0Q0, L0K1"] == "all components"
    assert files["all components"] == files["L0H1 to zero"] == "untouched"
    assert {row["condition"]: row["compared_with"] for row in
            export.ablation_report.table_rows(tables)} == files  # fmt: skip
    told = export.many_prompts.settings_of(settings)
    assert told["component_sets"] == ["L0Q0, L0K1", "L1V0 @ L1H1"]
    assert told["components"] == circuits.TRAINED
    assert "trained components: L0Q0, L0K1; L1V0 @ L1H1." in export.many_prompts.doing(settings)
