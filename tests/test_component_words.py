"""What the page Components says of one component, a set and a search: numbers by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from headroles.ablation import Comparison, judge
from headroles.ablation.component_profiles import Effect
from headroles.export import component_tests
from headroles.types import Component, Head
from headroles.view import component_carriers, one_component
from headroles.view.one_component import AtPosition
from tests.facts import says

TOKENS = ["start", " The", " cat", " sat"]


def lines(*tints: float) -> list[AtPosition]:
    return [
        AtPosition(place, token, tint, f"{tint:.2f}", 1.0)
        for place, (token, tint) in enumerate(zip(TOKENS, tints, strict=False))
    ]


def listed(alive: float | None):
    return SimpleNamespace(component=Component(0, "q", 3), alive=alive, weight=0.18)


def effect(kl: float, heads: tuple[Head, ...] | None = None) -> Effect:
    return Effect(heads, Comparison(1, 1, 0.5, 0.5, kl, None, None))


def test_where_it_does_most_is_said_unless_all_are_alike() -> None:
    said = one_component.one_conclusion(listed(1.0), lines(0, 0.2, 0.9, 0.3), None)
    assert says(said, "alive on 3 of 3 tokens", "most on “·cat” (2)", "importance 0.90")
    said = one_component.one_conclusion(listed(1.0), lines(0, 1.0, 1.0, 1.0), None)
    assert "on all alike (importance 1.00)" in said
    said = one_component.one_conclusion(listed(1.0), lines(0, 0.7), None)
    assert "alive on 1 of 1 token</b> of this prompt (importance 0.70)" in said
    said = one_component.one_conclusion(listed(None), lines(0, 0.2, 0.9, 0.3), None)
    assert says(said, "writes 18%", "most strongly on “·cat” (2)")


def test_an_effect_that_is_shown_as_zero_is_none() -> None:
    own = lines(0, 0.2, 0.9, 0.3)
    none = [effect(0.0004), effect(0.0, (Head(0, 1),)), effect(0.0002, (Head(0, 2),))]
    said = one_component.one_conclusion(listed(1.0), own, none)
    assert said.endswith("Without it the next guess stays as it is.")
    some = [effect(0.25), effect(0.0, (Head(0, 1),)), effect(0.125, (Head(0, 2),))]
    said = one_component.one_conclusion(listed(1.0), own, some)
    assert says(said, "moves by 0.250 nats (KL)", "at most by 0.125, in H2")


@pytest.mark.parametrize(
    ("effect_of", "error", "said"),
    [(0.5, 0.01, "larger than chance"), (0.5, 0.4, "not clear"), (0.0005, 0.0, "no effect")],
)
def test_a_mean_that_the_texts_do_not_settle_is_not_clear(effect_of, error, said) -> None:
    judgement = judge(effect_of, [0.0, 0.01, 0.02, 0.01], standard_error=error, texts=8)
    assert said in component_tests.verdict(judgement)
    assert component_tests.beside(judgement).endswith(component_tests.verdict(judgement))


def test_what_was_not_tried_is_said() -> None:
    heads = (Head(18, 7), Head(18, 6))
    said = component_carriers.tried(768, ((18, "q"), (18, "k")), heads, listed=8)
    assert says(said, "768 components", "layer 18", "L18H7 and L18H6, 2 of the 8 listed heads")
    every = component_carriers.tried(900, ((1, "q"), (2, "k")), heads, listed=2)
    assert says(every, "heads' own layers")
    assert "listed" not in every
