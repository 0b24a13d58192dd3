"""Two prompts and their paths on the page *Answer*, from the bundled model itself."""

from __future__ import annotations

import pytest

from headroles import ablation, models, texts
from headroles.types import Head
from headroles.ui.answer import pair_state, state
from headroles.ui.app import session
from headroles.view import patching
from tests.facts import says
from tests.pages.on_page import alts, opened, page_html

FIRST = "The cat sat on the mat. The cat sat on the mat. The cat"
SECOND = "The cat ran on the mat. The cat ran on the mat. The cat"
READY = texts.READY_PAIRS
BOTH = {"prompt": FIRST, "second_prompt": SECOND}


@pytest.fixture(scope="module")
def loaded():
    return models.load_model("demo")


@pytest.fixture(scope="module")
def pair(loaded):
    return ablation.make_pair(loaded, FIRST, SECOND)


def clicked(app, key: str):
    app.button(key=key).click().run()
    assert not app.exception
    return app


# ------------------------------------------------------------------ two prompts


def test_the_conclusion_is_what_the_engine_finds(loaded, pair) -> None:
    app = opened("pages/answer.py", section="pair", **BOTH)
    heads = ablation.every_head(pair, *loaded.shape).all(loaded)
    head, share = max(patching.ranked(heads), key=lambda one: one[1])
    assert says(page_html(app), head.label, f"{share:.0%}", f"{pair.gap:.2f}")
    assert len(alts(app)) == 3
    assert says(alts(app)[0], head.label, f"{share:.0%}")


def test_from_the_heads_of_a_pair_to_their_paths() -> None:
    app = clicked(opened("pages/answer.py", section="pair", **BOTH), "answer-to_paths")
    assert app.query_params["section"] == "paths"
    assert app.query_params["second_prompt"] == SECOND
    assert says(page_html(app), "Nothing is drawn yet")


def test_noise_is_another_question_with_other_numbers(loaded, pair) -> None:
    app = opened("pages/answer.py", section="pair", direction="noise", **BOTH)
    lost = ablation.every_head(pair, *loaded.shape, direction="noise").all(loaded)
    head, share = max(patching.ranked(lost), key=lambda one: one[1])
    assert says(page_html(app), head.label, "takes away", f"{share:.0%}")
    assert app.query_params["direction"] == "noise"


def test_chosen_heads_are_patched_token_by_token(loaded, pair) -> None:
    app = opened("pages/answer.py", section="pair", **BOTH)
    app.multiselect(key=pair_state.HEADS).set_value(["L0H6"]).run()
    assert not app.exception
    share = ablation.heads_by_position(pair, [Head(0, 6)]).all(loaded).share
    place = int(share.abs().argmax())
    assert says(alts(app)[1], "L0H6", f"{float(share[0, place]):.0%}")


def test_a_ready_pair_is_run_with_its_answers_and_its_control(loaded) -> None:
    app = opened("pages/answer.py", section="pair")
    menu = app.menu_button(key=pair_state.READY)
    right = [one for one in texts.READY_PAIRS if one in ablation.told_apart(loaded, READY)]
    assert [option.partition(": ")[2] for option in menu.options[: len(right)]] == [
        one.name for one in right
    ]
    menu.click(menu.options[0]).run()
    assert not app.exception
    ready = right[0]
    assert app.session_state[session.PROMPT] == ready.first
    assert app.session_state[session.SECOND] == ready.second
    assert app.session_state[state.ANSWER] == ready.answer
    made = ablation.ready_pair(loaded, ready)
    heads = ablation.every_head(made, *loaded.shape).all(loaded)
    sources = ablation.control_sources(loaded, made)
    work = ablation.control_patches(made, ablation.strongest(heads, 10), sources)
    beside = ablation.beside_control(heads, [todo.all(loaded) for todo in work])
    clear = sum(one.verdict == "holds_up" for one in beside)
    assert says(page_html(app), ready.exchange[0], str(len(sources)), f"{clear} of {len(beside)}")


def test_without_a_second_sentence_the_page_says_how_to_get_one() -> None:
    app = opened("pages/answer.py", section="pair", prompt=FIRST)
    assert len(app.info) == 1
    assert not alts(app)
    clicked(app, "answer-second")
    assert app.session_state[session.SECOND] == FIRST
    assert says([error.value for error in app.error], "same tokens")  # and how to go on


def test_sentences_of_two_lengths_are_refused_with_the_way_out() -> None:
    app = opened("pages/answer.py", section="pair", prompt=FIRST, second_prompt="The cat sat")
    assert says([error.value for error in app.error], "17", "4")
    assert not alts(app)


def test_answers_of_other_sentences_can_be_forgotten() -> None:
    app = opened("pages/answer.py", section="pair", **BOTH)
    app.text_input(key=state.ANSWER).set_value(" dog")
    app.text_input(key=state.AGAINST).set_value(" dog").run()
    assert len(app.error) == 1
    clicked(app, "answer-own_guesses")
    assert not app.error
    assert len(alts(app)) == 3


def test_the_comparison_on_your_prompt_leads_here_with_the_pair() -> None:
    app = opened(**BOTH)
    clicked(app, "your_prompt-which_head")
    assert app.session_state[state.SECTION] == "Two prompts"
    assert app.session_state[session.SECOND] == SECOND
    assert len(alts(app)) == 3


# ------------------------------------------------------------------ paths


def test_the_map_of_senders_is_the_engines(loaded, pair) -> None:
    app = opened("pages/answer.py", section="paths", **BOTH)
    work = ablation.every_sender([pair], [[ablation.LOGITS]], *loaded.shape)
    (found,) = work.all(loaded)
    clear = [sent for sent in found.strongest(12) if sent.is_clear]
    assert clear
    assert says(alts(app)[1], *(sent.sender.label for sent in clear[:2]))


def test_arrows_are_put_in_taken_back_and_cleared() -> None:
    app = opened("pages/answer.py", section="paths", **BOTH)
    clicked(app, "answer-put_in")
    first = app.session_state[pair_state.PATHS]
    assert first
    assert all(path.endswith(">logits") for path in first)
    assert says(alts(app)[0], f"{len(first)} paths")
    clicked(app, "answer-path_undo")
    assert app.session_state[pair_state.PATHS] == first[:-1]
    clicked(app, "answer-path_start_over")
    assert app.session_state[pair_state.PATHS] == ()
    assert app.button(key="answer-path_undo").disabled


def test_a_link_brings_the_drawing_with_its_numbers_back(loaded, pair) -> None:
    paths = "L3H4>logits,L1H4>L3H4.q"
    app = opened("pages/answer.py", section="paths", paths=paths, **BOTH)
    assert app.session_state[pair_state.PATHS] == ("L3H4>logits", "L1H4>L3H4.query")
    assert app.query_params["paths"] == paths
    into = [ablation.Receiver(Head(3, 4), "query")]
    expected = ablation.path_effects(
        loaded,
        pair,
        [ablation.Path((Head(3, 4),)), ablation.Path((Head(1, 4),), tuple(into))],
    )
    shares = (expected / pair.gap).tolist()
    rows = page_html(app)
    for sender, share in zip(("L3H4", "L1H4"), shares, strict=True):
        assert says(rows, sender, f"{abs(share):.0%}")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("L29H1>logits", "no head 'L29H1'"),
        ("L0H0>L3H9.k", "no head 'L3H9'"),
        ("L2H0>L1H3.q", "from L2H0 to L1H3"),
        ("L1H0>L1H3.v", "from L1H0 to L1H3"),
    ],
)
def test_an_arrow_that_the_model_cannot_have_is_left_out_and_reported(wrong, said) -> None:
    app = opened("pages/answer.py", section="paths", paths=f"{wrong},L3H4>logits", **BOTH)
    assert app.session_state[pair_state.PATHS] == ("L3H4>logits",)
    assert says([warning.value for warning in app.warning], said)
    assert app.query_params["paths"] == "L3H4>logits"


def test_a_box_shows_who_sends_to_its_inputs() -> None:
    app = opened("pages/answer.py", section="paths", paths="L3H4>logits", **BOTH)
    app.selectbox(key=pair_state.NODE).set_value("L3H4").run()
    assert not app.exception
    assert says(alts(app)[1], "queries of L3H4")
    app.segmented_control(key=pair_state.INPUT).set_value("value").run()
    assert says(alts(app)[1], "values of L3H4")


def test_heads_of_a_layer_are_asked_together(loaded, pair) -> None:
    paths = "L3H3>logits,L3H5>logits,L3H7>logits"
    ready = READY[0]
    app = opened(
        "pages/answer.py", section="paths", paths=paths, prompt=ready.first,
        second_prompt=ready.second, answer=ready.answer, against=ready.against,
    )  # fmt: skip
    app.selectbox(key=pair_state.NODE).set_value("L3H3, H5, H7").run()
    app.segmented_control(key=pair_state.INPUT).set_value("value").run()
    assert not app.exception
    assert says(alts(app)[1], "values of L3H3, H5, H7 together", "L2H6")
    clicked(app, "answer-put_in")
    drawn = app.session_state[pair_state.PATHS]
    assert "L2H6>L3H3/L3H5/L3H7.value" in drawn
    assert "L2H6>L3H3/L3H5/L3H7.v" in app.query_params["paths"]
    group = tuple(ablation.Receiver(Head(3, head), "value") for head in (3, 5, 7))
    made = ablation.ready_pair(loaded, ready)
    (effect,) = ablation.path_effects(loaded, made, [ablation.Path((Head(2, 6),), group)])
    assert says(page_html(app), "L3H3, L3H5 and L3H7", f"{float(effect) / made.gap:.0%}")


def test_the_strongest_are_drawn_as_the_engine_grows_them(loaded, pair) -> None:
    app = opened("pages/answer.py", section="paths", **BOTH)
    clicked(app, "answer-grow")
    circuit = ablation.grow(loaded, [pair])
    grown = tuple(f"{one.sender.label}>{one.into}" for one in circuit.arrows)
    assert app.session_state[pair_state.PATHS] == grown
    assert not app.session_state[pair_state.GROWING]


def test_several_pairs_with_other_names_are_a_mean_with_an_error(loaded) -> None:
    ready = READY[0]
    both = {"prompt": ready.first, "second_prompt": ready.second}
    answers = {"answer": ready.answer, "against": ready.against}
    app = opened("pages/answer.py", section="paths", pairs="4", **both, **answers)
    pairs = ablation.more_pairs(loaded, ablation.ready_pair(loaded, ready), 4)
    assert len(pairs) == 4
    work = ablation.every_sender(pairs, [[ablation.LOGITS]], *loaded.shape)
    strongest = work.all(loaded)[0].strongest(1)[0]
    assert says(page_html(app), strongest.sender.label, f"{abs(strongest.share):.0%}")
    assert says(page_html(app), "means over 4")
    assert app.query_params["pairs"] == "4"
    app = opened("pages/answer.py", section="paths", pairs="4", **BOTH)  # no names in it
    assert says(page_html(app), "1 pair of 4")
