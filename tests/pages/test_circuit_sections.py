"""The sections "Two-step circuit" and "Inside a head" of the knock-out lab, and proofs on pages."""

from __future__ import annotations

import pytest
import torch

from headroles.circuits.svd import Components, Spread, entropy_of
from headroles.paths import ROOT
from headroles.roles import ROLES
from headroles.store import categories
from headroles.types import Head
from headroles.ui.app import session
from headroles.ui.knockout_lab import state
from headroles.ui.knockout_lab.component_caches import Split
from headroles.ui.knockout_lab.components import share_rows
from headroles.verdicts.head import ablation_evidence
from headroles.view import causal, many_texts
from headroles.view.glossary import unmarked
from tests.entries import entry
from tests.facts import says


def open_section(section: str, **keys):
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=300).run()
    for key, value in keys.items():
        app.session_state[key] = value
    app.session_state[state.SECTION] = section
    app.switch_page("pages/knockout_lab.py").run()
    assert not app.exception
    return app


def said(app) -> str:
    shown = [*app.markdown, *app.caption, *app.info]
    html = [unmarked(one.proto.body) for one in app.get("html")]
    return "\n".join([one.value.replace("\\", "") for one in shown] + html)


@pytest.mark.slow
def test_the_lesson_shows_what_previous_token_heads_are_for() -> None:
    words = said(open_section("Two-step circuit"))
    assert says(words, "7 of 7", "induction")
    assert "Knocked out: L0H6, L0H7" in words
    assert says(words, "16 texts", "standard error")
    assert "One text, so no error." in words  # the default prompt repeats itself
    assert words.count('<th scope="col">Random heads (control)</th>') == 2


@pytest.mark.slow
def test_a_prompt_without_a_repeat_says_so_and_how_to_make_one() -> None:
    words = said(open_section("Two-step circuit", **{session.PROMPT: "A dog saw the cat."}))
    assert says(words, ROLES["induction"].asleep, "Try")


@pytest.mark.slow
def test_components_show_weight_spread_and_both_effects() -> None:
    app = open_section("Inside a head")
    words = said(app)
    assert says(words, "%", "L0H6's OV")
    assert says(words, "Without", "L0H6")
    assert words.count("component ") >= 8
    assert "SVD components" in words
    assert "Sum so far" in words
    app.session_state[state.COMPONENT_KIND] = "QK"
    app.run()
    assert not app.exception
    words = said(app)
    assert says(words, "L0H6's", "1 token back")
    assert "rotates queries and keys" in words


NUMBERS = {"change": -0.5, "standard_error": 0.01, "draws": 5, "verdict": "backed_up"}
PART = {"part": 0.3, "part_error": 0.02, "part_control_mean": 0.01, "part_control_spread": 0.04}


def evidence(**changes: object) -> dict:
    return {
        "measured_on": "repeats",
        "n": 24,
        "baseline_loss": 0.5,
        "even_guess_loss": 8.0,
        "heads": [
            {"layer": 1, "head": 2, "control_mean": 0.0, "control_spread": 0.1, **NUMBERS, **PART}
        ],
        "group": {"heads": [(1, 2), (1, 1)], **NUMBERS, "verdict": "holds_up"},
        **changes,
    }


def test_the_passports_words_give_number_error_n_and_control() -> None:
    stored = entry(causal={"induction": evidence()})
    proof = ablation_evidence(stored, Head(1, 2), "induction")
    assert causal.rows("Induction", proof, Head(1, 2)) == [
        [
            "Induction",
            "L1H2 alone",
            "repeated tokens",
            "◐ no effect alone (others back it up)",
            "−0.500 ± 0.010",
            "0.000 ± 0.100 (5 draws)",
        ],
        ["", "all 2 of the role", "repeated tokens", "✓ holds up", "−0.500 ± 0.010", "–"],
        [
            "",
            "L1H2 after all the others",
            "repeated tokens",
            "it adds to them",
            "+0.300 ± 0.020",
            "+0.010 ± 0.040 (5 draws)",
        ],
    ]
    assert says(causal.method([proof.role]), "24", "sequences")
    assert causal.unreadable([proof.role]) == ""
    assert causal.of_heads(stored) == {Head(1, 2): "◐ Induction on repeated tokens"}


def test_a_listed_head_without_evidence_is_not_tested_and_another_has_no_proof() -> None:
    stored = entry(causal={"induction": evidence()})
    proof = ablation_evidence(stored, Head(1, 1), "induction")
    assert causal.rows("Induction", proof, Head(1, 1))[0][3] == "– not tested"
    assert ablation_evidence(stored, Head(0, 0), "induction") is None
    assert ablation_evidence(stored, Head(1, 2), "diffuse") is None
    assert ablation_evidence(None, Head(1, 2), "induction") is None


def test_what_any_other_head_does_too_is_called_neither_proof_nor_no_effect() -> None:
    numbers = {"change": 9.74, "control_mean": 7.6, "control_spread": 2.9, "verdict": "not_special"}
    (head,) = evidence()["heads"]
    stored = entry(causal={"induction": evidence(heads=[{**head, **numbers}], group=None)})
    proof = ablation_evidence(stored, Head(1, 2), "induction")
    assert causal.rows("Induction", proof, Head(1, 2))[0][3:5] == [
        "≈ no more than other heads",
        "+9.740 ± 0.010",
    ]
    (meaning,) = causal.meanings([proof])
    assert says(meaning, "not clearly", "random")
    assert causal.legend(list(causal.of_heads(stored).values())).startswith("≈")


def test_what_the_model_cannot_read_is_said_with_both_numbers() -> None:
    stored = entry(causal={"induction": evidence(baseline_loss=8.02)})
    assert "8.02" in causal.unreadable([stored.causal["induction"]])


def test_both_kinds_of_text_are_named_wherever_the_verdict_stands() -> None:
    rule = {"comparisons": 98, "level": 0.021, "parts": 8, "parts_level": 0.0125}
    both = evidence(measured_on="sentences", rule=rule, also=[evidence(rule=rule)])
    stored = entry(causal={"previous_token": both})
    proof = ablation_evidence(stored, Head(1, 2), "previous_token")
    assert [row[2] for row in causal.rows("Previous token", proof, Head(1, 2))] == [
        *["sentences"] * 3,
        *["repeated tokens"] * 3,
    ]
    words = causal.of_heads(stored)[Head(1, 2)]
    assert words == "◐ Previous token on sentences, ◐ Previous token on repeated tokens"
    columns = causal.cell_columns(both := stored.causal["previous_token"])
    assert len(columns) == len(causal.cells(both, Head(1, 2))) == 8
    assert causal.cells(both, Head(1, 1))[:4] == ["– not tested", "–", "–", "–"]
    assert says(causal.method(both.everywhere), "98", "0.021", "0.013")
    assert says(causal.method([evidence_of(evidence())]), "older", "not tested")


def evidence_of(plain: dict):
    return entry(causal={"induction": plain}).causal["induction"]


def test_many_texts_speak_for_just_these_heads_or_for_the_list_around_them() -> None:
    stored = entry(causal={"induction": evidence()})
    heads = [Head(1, 2), Head(1, 1)]
    (exact,) = many_texts.sentences(stored, heads)
    assert says(exact, "These 2 heads", "repeated tokens (24 texts)", "✓ holds up")
    (alone,) = many_texts.sentences(stored, heads[:1])
    assert says(alone, "L1H2 alone", "◐", "a random other")
    assert many_texts.sentences(stored, heads[1:]) == []  # listed, but not tested alone
    assert many_texts.sentences(stored, [Head(0, 0)]) == many_texts.sentences(None, heads) == []
    three = {"heads": [(1, 2), (1, 1), (1, 0)], **NUMBERS, "verdict": "holds_up"}
    wider = entry(causal={"induction": evidence(group=three)})
    (around,) = many_texts.sentences(wider, heads)
    assert says(around, "All 3 heads", "yours among them")


def test_the_bundled_models_passport_shows_the_proof() -> None:
    if not categories.read_entry("demo").causal:
        pytest.skip("the committed analysis was made without knock-outs")
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    app.session_state[session.HEAD] = Head(1, 4)
    app.switch_page("pages/head_closeup.py").run()
    assert not app.exception
    assert "✓ holds up" in said(app)


def test_the_shares_have_a_table_that_adds_up_to_all_of_the_weight() -> None:
    components = Components("OV", torch.eye(3), torch.tensor([3.0, 2.0, 1.0]), torch.eye(3))
    shares = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]])
    split = Split(components, Spread(shares, entropy_of(shares)), [])
    assert share_rows(split) == [  # 9, 4 and 1 of 14
        ["1", "64.3%", "64.3%", "3.000", "1.0"],
        ["2", "28.6%", "92.9%", "2.000", "2.0"],
        ["3", "7.1%", "100.0%", "1.000", "2.0"],
    ]
