"""The section Contributions of the page Answer, without a browser, on the bundled model."""

from __future__ import annotations

import html
import json
import re

import pytest

from headroles import ablation, attribution, export, models, texts, view
from headroles.errors import UnsupportedModelError
from headroles.types import Head
from headroles.ui.answer import caches, files, one_head, state
from headroles.ui.app import caches as app_caches
from headroles.ui.app import session
from headroles.ui.knockout_lab import state as lab
from headroles.view import contributions as words
from tests.facts import says
from tests.pages.on_page import alts, opened, page_html

IOI = "When Mary and John went home, John gave a ring to"
PAGE = "pages/answer.py"


@pytest.fixture(scope="module")
def loaded():
    return models.load_model("demo")


@pytest.fixture(scope="module")
def parts(loaded):
    encoding = texts.encode(loaded.tokenizer, IOI)
    target = attribution.resolve_target(loaded, encoding)
    return attribution.contribute(loaded, encoding, target)


@pytest.fixture
def app():
    return opened(PAGE, prompt=IOI)


def concluded(app) -> str:
    said = re.search(r'<p class="hr-conclusion" role="status">(.*?)</p>', page_html(app))[1]
    return html.unescape(re.sub(r"<[^>]+>", "", said))


def test_the_conclusion_is_that_of_the_numbers(app, parts) -> None:
    best = words.ranked(parts)[0]
    said = concluded(app)
    assert says(said, best.label, f"{float(parts.heads[best]):+.2f}", f"{parts.total:.2f}")
    assert f"Without {best.label}, " in said
    assert "other prompts" in said
    assert "they differ by" in page_html(app)


def test_every_chart_has_its_take_away(app, parts) -> None:
    assert all(alts(app))
    assert says(alts(app)[0], f"{parts.total:.2f}", f"{parts.logit:.2f}")


def test_a_guess_and_the_other_name_are_one_click_away(app) -> None:
    guesses = [button for button in app.button if str(button.key).startswith("answer-guess_")]
    assert len(guesses) == caches.GUESSES
    app.button(key="answer-rival").click().run()
    assert app.text_input(key=state.AGAINST).value == " John"
    assert app.query_params["against"] == " John"
    assert says(concluded(app), "“·Mary” over “·John”") or says(concluded(app), "rather than")
    app.button(key="answer-alone").click().run()
    assert app.text_input(key=state.AGAINST).value == ""
    app.button(key="answer-guess_1").click().run()
    assert app.query_params["answer"] == app.text_input(key=state.ANSWER).value != ""
    app.button(key="answer-guess_0").click().run()
    assert "answer" not in app.query_params


def test_a_link_opens_the_same_view(loaded) -> None:
    app = opened(PAGE, prompt=IOI, answer="John", against="Mary", position="5", head="L3H6")
    assert "Watched at this position: “·John”" in page_html(app)
    assert "Without L3H6" in page_html(app)
    assert app.session_state[state.POSITION] == 5
    assert dict(app.query_params)["head"] in ("L3H6", ["L3H6"])
    encoding = texts.encode(loaded.tokenizer, IOI)
    target = attribution.resolve_target(loaded, encoding, "John", "Mary", position=5)
    there = attribution.contribute(loaded, encoding, target, position=5)
    assert f"{there.total:.2f}".replace("-", "−") in page_html(app)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"head": "L9H9"}, "There is no head 'L9H9'."),
        ({"position": "400"}, "There is no position 400 in this prompt of 13 tokens."),
        ({"position": "last"}, "names a position “last”, which is not a position."),
        ({"answer": "x" * 81}, "which has 81 characters"),
    ],
)
def test_what_a_link_cannot_mean_is_said_and_left_out(query: dict, said: str) -> None:
    app = opened(PAGE, prompt=IOI, **query)
    shown = "\n".join(one.value.replace("\\", "") for one in [*app.warning, *app.error])
    assert said in shown
    assert next(iter(query)) not in app.query_params
    assert "hr-conclusion" in page_html(app)


def test_two_equal_tokens_have_no_difference_and_the_boxes_stay(app) -> None:
    app.text_input(key=state.ANSWER).set_value("Mary")
    app.text_input(key=state.AGAINST).set_value("Mary").run()
    assert not app.exception
    assert "Both tokens are" in app.error[0].value
    app.text_input(key=state.AGAINST).set_value("").run()
    assert not app.error
    assert "hr-conclusion" in page_html(app)


def test_another_head_is_looked_at_closely_and_led_to_its_close_up(app, parts) -> None:
    (box,) = [one for one in app.selectbox if str(one.key).startswith(state.HEAD_BOX)]
    best, chosen = words.ranked(parts)[0], words.ranked(parts)[3]
    assert box.value == best.label
    box.set_value(chosen.label).run()
    assert f"Without {chosen.label}" in page_html(app)
    assert best.label in concluded(app)  # which is still about the one that wrote most
    app.button(key="answer-closeup").click().run()
    assert not app.exception
    assert app.session_state[session.HEAD] == chosen


def test_the_knock_out_lab_opens_with_the_head(app, parts) -> None:
    app.session_state[lab.SECTION] = lab.SECTION_NAMES[2]  # left open at another section
    app.button(key="answer-lab").click().run()
    assert not app.exception
    assert app.session_state[lab.SECTION] == lab.SECTION_NAMES[0]
    assert app.multiselect(key=lab.LAB_HEADS).value == [words.ranked(parts)[0].label]


def test_your_prompt_and_the_close_up_lead_here(parts) -> None:
    app = opened(prompt=IOI)
    app.session_state[state.ANSWER], app.session_state[state.HEAD] = "John", Head(0, 0)
    app.button(key="your_prompt-answer_page").click().run()
    assert not app.exception
    assert app.title[0].value == "Answer"
    assert app.text_input(key=state.ANSWER).value == ""
    assert words.ranked(parts)[0].label in concluded(app)
    app = opened("pages/head_closeup.py", prompt=IOI, head="L2H3")
    app.button(key="head_closeup-answer_page").click().run()
    assert not app.exception
    assert app.title[0].value == "Answer"
    assert "Without L2H3" in page_html(app)


def test_a_model_that_has_no_such_head_forgets_it(app) -> None:
    app.session_state[state.HEAD] = Head(3, 7)
    app.run()
    app.sidebar.selectbox[0].set_value("attn-only-2l-tiny").run()
    assert not app.exception
    assert app.session_state[state.HEAD] is None


def test_without_a_head_the_answer_is_what_the_knock_out_lab_says(loaded, parts) -> None:
    head = words.ranked(parts)[0]
    asked = caches.Asked("demo", IOI, False, "", "", parts.position)
    without = caches.without(asked, parts, head)
    result = without.finish([step() for step in without.steps])
    condition = ablation.Condition("", (ablation.HeadOutput((head,), "mean"),))
    row = ablation.tabulate(loaded, IOI, [condition]).rows[0]
    assert result.standing.rank == row.comparison.rank
    assert result.standing.probability == pytest.approx(row.comparison.probability, abs=1e-6)
    assert result.standing.guess == row.says
    assert result.parts.error < 1e-3


def test_an_earlier_position_is_that_of_the_shorter_prompt(loaded) -> None:
    """What stands after the position changes nothing, with or without a head."""
    encoding = texts.encode(loaded.tokenizer, IOI)
    short = loaded.tokenizer.decode(encoding.token_ids[1:7])
    assert texts.encode(loaded.tokenizer, short).token_ids == encoding.token_ids[:7]
    long = caches.written(caches.Asked("demo", IOI, False, "", "", 6))
    alone = caches.written(caches.Asked("demo", short, False, "", "", 6))
    assert long.parts.target == alone.parts.target
    assert long.parts.heads.allclose(alone.parts.heads, atol=1e-4)
    assert long.now.probability == pytest.approx(alone.now.probability, abs=1e-5)


def test_the_files_hold_every_part_and_its_origin(loaded, parts) -> None:
    encoding = texts.encode(loaded.tokenizer, IOI)
    rows = export.contributions.part_rows(parts, encoding.tokens, roles={"L0H0": "Induction"})
    assert sum(row["contribution_logits"] for row in rows) == pytest.approx(parts.logit, abs=1e-3)
    heads = [row for row in rows if row["part"] == "head"]
    assert len(heads) == parts.heads.numel()
    by_token = export.contributions.token_rows(parts, encoding.tokens)
    assert sum(row["contribution_logits"] for row in by_token) == pytest.approx(
        float(parts.heads.sum()), abs=1e-3
    )
    about = export.contributions.about(parts)
    assert about["logit"] == parts.logit
    assert about["watched_token"] == parts.target.text


def test_a_file_says_what_the_page_says(loaded, parts) -> None:
    answer = app_caches.answer("demo", IOI)
    asked = caches.Asked("demo", IOI, False, "", "", parts.position)
    written = caches.written(asked)
    best = words.ranked(written.parts)[0]
    labels = view.token_labels(answer.run.encoding)
    subject = one_head.Subject(
        answer, app_caches.provisional(), asked, written, labels, {}, best, best
    )
    chance = attribution.chance(loaded, answer.run.encoding, written.parts.target)
    offered = {file.label: file for file in files.of_contributions(subject, chance, None)}
    assert list(offered) == [
        "Parts as CSV", "Parts as JSON", "Heads by token as CSV", "Heads by token as JSON",
        "Chart as PNG", "Chart as SVG",
    ]  # fmt: skip
    told = json.loads(offered["Parts as JSON"].make())
    origin = told["provenance"]
    assert origin["prompt"] == IOI
    assert origin["other_prompts"] == chance.n
    story = words.story(written.parts, labels, answer.run.tokens, chance=chance, now=written.now)
    assert origin["conclusion"] == " ".join(story)
    row = next(row for row in told["parts"] if (row["layer"], row["head"]) == tuple(best))
    assert row["mean_on_other_prompts"] == pytest.approx(float(chance.mean[tuple(best)]))
    assert b"watched_token" in offered["Heads by token as CSV"].make()
    assert b"<svg" in offered["Chart as SVG"].make()


def test_a_model_that_cannot_be_taken_apart_is_said_to_be_so(monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise UnsupportedModelError("demo", why="its parts cannot be told apart.")

    monkeypatch.setattr(attribution.recording, "record", refuse)
    monkeypatch.setattr(attribution, "record", refuse, raising=False)
    app = opened(PAGE, prompt=IOI)
    assert "its parts cannot be told apart" in app.error[0].value
    assert app.text_input(key=state.ANSWER).value == ""
