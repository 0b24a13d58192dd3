"""The page Your Prompt, without a browser."""

from __future__ import annotations

import os
import re
from html import unescape

import pytest

from headroles import limits
from headroles.paths import CATEGORIES, DEMO_MODEL, ROOT
from headroles.roles import ROLES, SCORED_ROLES
from headroles.store import categories
from headroles.texts import DEFAULT_PROMPT, STORY_EXAMPLES
from headroles.types import Head
from headroles.ui.app import run_prompt as run_prompt_shell
from headroles.ui.app import session
from tests.facts import says
from tests.pages.on_page import alts, page_html
from tests.pages.planted import PLANTED, planted_entry

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)

NO_REPEATS = "The old man walked slowly to the river with his dog."


def open_page():
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    assert not app.exception
    return app


def run_prompt(app, prompt: str):
    app.text_area(key=session.BOX).set_value(prompt)
    app.button(key="app-run").click()
    app.run()
    assert not app.exception
    return app


def buttons(app) -> set[str]:
    return {button.key for button in app.button if button.key}


@pytest.fixture
def app(planted):
    return open_page()


def test_the_default_prompt_is_answered_on_opening(app) -> None:
    assert app.text_area(key=session.BOX).value == DEFAULT_PROMPT
    html = page_html(app)
    for role in SCORED_ROLES:
        assert f"<h3>{role.name}</h3>" in html
    assert html.count("1 of 1 listed head active") == 4
    assert "3 of all 32 heads rest" in html  # the two heads of repeats look there most of the time
    assert "1 of 2 listed heads active" in html  # duplicate token lists the induction head too
    assert html.count("●") == 10  # five lamps and their cards
    assert not app.error
    assert not app.warning


def test_the_answer_in_one_sentence_counts_roles_and_heads(app) -> None:
    assert says(page_html(app), "All 5 roles", "active", "5 of 6 listed heads")


def test_the_answer_stands_before_the_cards_and_the_tokens_after_them(app) -> None:
    html = page_html(app)
    order = ['class="hr-lamps"', 'class="hr-conclusion"', 'id="role-induction"', 'class="hr-strip']
    assert sorted(order, key=html.index) == order


def test_a_lamp_for_every_role_leads_to_its_card_and_one_to_the_tokens(app) -> None:
    html = page_html(app)
    targets = re.findall(r'class="hr-lamp[^"]*" href="#([^"]+)"', html)
    assert targets == [*(f"role-{role.key}" for role in SCORED_ROLES), "prompt-tokens"]
    assert all(html.count(f'id="{target}"') == 1 for target in targets)


def test_the_resting_card_shows_layers_and_has_a_table_of_them(app) -> None:
    (chart,) = [c for c in app.get("vega_lite_chart") if "resting_layers" in c.proto.id]
    assert says(chart.proto.alt, "resting", "3 of all 32")
    table = app.expander(key="your_prompt-numbers_positional")
    rows = " ".join(html.proto.body for html in table.get("html"))
    assert [label in rows for label in ("L1H1", "L2H2", "L3H3", "L0H0")] == [True] * 3 + [False]


def test_a_bar_chart_per_role_and_one_for_the_guesses(app) -> None:
    found = app.get("vega_lite_chart")
    assert len(found) == 6
    alts = [element.proto.alt for element in found]
    assert says(alts, "Induction", "1 of 1 listed head active")
    assert any("most probable next token" in alt for alt in alts)


def test_other_counts_the_heads_that_fit_nothing(app) -> None:
    assert says(page_html(app), "27 of 32 heads")  # 32 less the five planted ones


def test_a_head_with_two_roles_says_so(app) -> None:
    html = page_html(app)
    assert says(html, "Also listed", PLANTED["induction"].label, "Duplicate token")
    assert says(html, "Also listed", PLANTED["induction"].label, "Induction")


def test_repeated_tokens_share_a_number_and_the_start_token_is_named(app) -> None:
    html = page_html(app)
    assert html.count("repeated token number 1") == 3  # " cat" stands there three times
    assert 'class="hr-token hr-start"' in html
    assert says(html, "added", "in front")


def test_a_character_in_pieces_is_one_box_and_the_page_says_what_that_means(app) -> None:
    html = page_html(run_prompt(app, "🙂🙃🙂 \u05e9 a\u00a0b\u202e"))
    assert html.count("<bdi>🙂</bdi><sup>1</sup><small>4 tokens</small>") == 2
    assert html.count("<bdi>🙃</bdi><small>4 tokens</small>") == 1
    assert says(html, "never shown", "emoji", "Hebrew")
    assert says(html, "such character", "2 to 4 tokens")
    assert says(html, "only bytes that different characters share")
    assert says(html, "‹NBSP›", "no-break space", "‹RLO›", "right-to-left override")
    assert "0xF0" not in html
    assert "\u202e" not in html


def test_gray_roles_say_why_and_offer_a_prompt(app) -> None:
    run_prompt(app, NO_REPEATS)
    html = page_html(app)
    assert says(html, "3 of 5 roles", "Induction", "Duplicate token", "no repetition")
    everything = "\n".join([html, *alts(app)])
    for role in ("duplicate_token", "induction"):  # once, in the card
        assert everything.count(ROLES[role].asleep) == 1
        assert f"your_prompt-try_card_{role}" in buttons(app)
    assert "your_prompt-try_card_previous_token" not in buttons(app)
    why = app.expander(key="your_prompt-why_gray")
    assert says([text.value for text in why.markdown], "gray", "nothing to do here")


def test_try_this_fills_the_box_wakes_the_role_and_can_be_undone(app) -> None:
    run_prompt(app, NO_REPEATS)
    app.button(key="your_prompt-try_card_induction").click().run()
    assert app.text_area(key=session.BOX).value == ROLES["induction"].story_hints[0]
    assert "your_prompt-try_card_induction" not in buttons(app)
    assert says(page_html(app), "All 5 roles", "active")

    app.button(key="app-undo").click().run()
    assert app.text_area(key=session.BOX).value == NO_REPEATS
    assert "app-undo" not in buttons(app)
    assert "your_prompt-try_card_induction" in buttons(app)


def test_an_example_keeps_text_that_was_typed_but_not_run(app) -> None:
    app.text_area(key=session.BOX).set_value("not run yet")
    app.button(key="app-example_1").click().run()
    assert app.text_area(key=session.BOX).value == STORY_EXAMPLES[1].prompt
    app.button(key="app-undo").click().run()
    assert app.text_area(key=session.BOX).value == "not run yet"


def test_what_to_look_for_stands_below_the_example_that_says_it(app) -> None:
    """A tooltip is not there on a phone, and gone once the example was chosen."""
    said = [one.look_for for one in STORY_EXAMPLES]
    place = said.index(next(filter(None, said)))
    assert "What to look for" not in page_html(app)
    app.button(key=f"app-example_{place}").click().run()
    assert said[place] in unescape(page_html(app))
    app.button(key="app-undo").click().run()
    assert "What to look for" not in page_html(app)


def test_one_way_back_through_several_examples(app) -> None:
    run_prompt(app, NO_REPEATS)
    app.button(key="app-example_2").click().run()
    app.button(key="app-example_3").click().run()
    app.button(key="app-undo").click().run()
    assert app.text_area(key=session.BOX).value == NO_REPEATS


@pytest.mark.parametrize("prompt", ["", "   \n\t "])
def test_an_empty_prompt_is_a_sentence_and_loses_nothing(app, prompt: str, monkeypatch) -> None:
    monkeypatch.setattr(run_prompt_shell, "BUNDLED", {})  # as with any model that has ways out
    run_prompt(app, prompt)
    assert not {"app-use_default_model", "app-try_again"} & buttons(app)
    assert "The prompt is empty" in app.error[0].value
    assert app.text_area(key=session.BOX).value == prompt
    assert not app.get("vega_lite_chart")
    assert "app-example_0" in buttons(app)


def test_one_token_is_too_short_to_tell(app) -> None:
    run_prompt(app, "cat")
    html = page_html(app)
    assert says(html, "None of the 5 roles", "too short to tell", "2 tokens")
    assert html.lower().count("too short to tell: 2 tokens") == 1
    assert "●" not in html


def test_a_prompt_longer_than_the_model_reads_is_cut_and_said(app) -> None:
    prompt = "The cat sat on the mat. " * 120
    run_prompt(app, prompt)
    assert "Only the first" in app.warning[0].value
    assert app.text_area(key=session.BOX).value == prompt
    assert "hr-scroll" in page_html(app)


def test_as_many_characters_as_a_prompt_may_have(app) -> None:
    prompt = "river " * (limits.PROMPT.most // 6)  # 49,998 characters
    run_prompt(app, prompt)
    assert "Only the first" in app.warning[0].value
    assert app.text_area(key=session.BOX).value == prompt


def test_more_characters_than_are_read_at_all(app) -> None:
    """They stay in the box, to be shortened."""
    prompt = "river " * 10_000
    run_prompt(app, prompt)
    assert says(app.error[0].value.replace("\\", ""), "60,000 characters", "50,000")
    assert app.text_area(key=session.BOX).value == prompt
    run_prompt(app, "river " * 40_000)  # the box itself takes no more than this
    assert len(app.text_area(key=session.BOX).value) == limits.BOX


@pytest.mark.parametrize(
    "prompt", ["😀 👩‍👩‍👧 😀", "שלום עולם مرحبا بالعالم", "\u202eevil", "a\x00b"]
)
def test_any_unicode_is_answered(app, prompt: str) -> None:
    run_prompt(app, prompt)
    assert not app.error
    assert 'aria-label="The tokens of the prompt"' in page_html(app)


def test_html_and_markdown_stay_text(app) -> None:
    run_prompt(app, "<script>alert(1)</script> <b>bold</b> **stars** :rainbow[hi] $x$")
    html = page_html(app)
    assert "<script>alert" not in html
    assert "<b>bold" not in html
    assert "&lt;" in html
    strip = html[html.index("hr-strip") : html.index("</div>", html.index("hr-strip"))]
    assert "<script" not in strip
    assert not any(
        word in text.value for text in app.markdown for word in ("rainbow", "stars", "$x$")
    )


def test_without_a_file_the_tokens_and_the_way_to_all_heads_remain(planted) -> None:
    planted.unlink()
    app = open_page()
    assert "Nobody has analysed this model" in app.warning[0].value
    html = page_html(app)
    assert "hr-strip" in html
    assert "provisional thresholds" in captions(app)
    assert "your_prompt-all_heads" in buttons(app)
    assert len(app.get("vega_lite_chart")) == 1  # the guesses
    assert says(html, "resting", "3 of 32")  # without a list, a lamp counts all heads
    assert says(html, "5 of 5 roles", "32 heads")


@pytest.mark.parametrize("content", ["{ not json", '{"demo": {"model_name": "demo"}}', "[]", ""])
def test_a_broken_file_is_said_and_the_way_to_all_heads_remains(planted, content: str) -> None:
    planted.write_text(content)
    app = open_page()
    assert "cannot be read" in app.warning[0].value
    assert "provisional thresholds" in captions(app)
    assert "your_prompt-all_heads" in buttons(app)


def captions(app) -> str:
    return "\n".join(caption.value for caption in app.caption)


def test_a_file_that_goes_bad_while_somebody_works_changes_nothing_but_a_note(app, planted) -> None:
    assert "damaged" not in captions(app)
    good = planted.read_bytes()
    os.utime(planted, (1_769_860_800, 1_769_860_800))  # 31 January 2026, 12:00 UTC
    app.run()
    planted.write_text(planted.read_text()[:400])  # half a file
    app.button(key="app-example_1").click().run()

    assert not app.exception
    assert not app.warning
    html = page_html(app)
    assert "provisional" not in captions(app)
    assert all(f"<h3>{role.name}</h3>" in html for role in SCORED_ROLES)
    assert captions(app).count("is damaged.") == 1
    assert says(captions(app), "31 January 2026, 12:00 UTC")

    planted.write_bytes(good)  # mended: the note goes on the next interaction
    app.button(key="app-undo").click().run()
    assert "damaged" not in captions(app)


def test_a_file_that_was_bad_from_the_start_falls_back_to_its_history(planted) -> None:
    from headroles.store import categories as store_categories

    changed = planted_entry(4, 8).model_copy(update={"seed": 7})
    store_categories.write_entry(changed, planted)  # so that there is an earlier version
    planted.write_bytes(b"")
    app = open_page()
    assert not app.warning
    assert "1 of 1 listed head active" in page_html(app)
    assert says(captions(app), "is damaged")


def test_an_entry_of_older_definitions_is_named_as_one(app, planted) -> None:
    assert "definitions" not in captions(app)
    old = planted_entry(4, 8).model_copy(update={"definitions_version": 1})
    categories.write_entry(old, planted)
    app.button(key="app-example_1").click().run()
    assert not app.exception
    assert says(captions(app), "made with version 1 of the roles' definitions", "Admin page")


def test_a_damaged_file_without_this_model_in_any_version_is_said(planted) -> None:
    from headroles.store import categories as store_categories

    planted.write_text(planted.read_text().replace('"demo"', '"gpt2"'))
    store_categories.write_entry(
        store_categories.read_entry("gpt2", planted).model_copy(update={"seed": 7}), planted
    )
    planted.write_text("{")
    app = open_page()
    assert "cannot be read" in app.warning[0].value
    assert "Admin page" in app.warning[0].value
    assert "provisional thresholds" in captions(app)


def test_a_file_of_another_model_only(planted) -> None:
    text = planted.read_text()
    planted.write_text(text.replace('"demo"', '"gpt2"'))
    app = open_page()
    assert "Nobody has analysed this model" in app.warning[0].value


def test_heads_from_papers_stand_in_for_an_analysis_with_their_source(planted, monkeypatch):
    from headroles.roles import known_heads
    from headroles.types import Head

    named = known_heads.KnownHead(Head(3, 6), "induction", "pattern", "Somebody <b>et al.</b> 2026")
    monkeypatch.setattr(known_heads, "_read", lambda: {"demo": [named]})
    planted.unlink()
    app = open_page()
    assert not app.exception
    assert "Nobody has analysed this model" in app.warning[0].value
    html = page_html(app)
    assert "L3H6 · Induction" in html
    assert says(html, "Somebody &lt;b&gt;et al.&lt;/b&gt; 2026")
    assert "its pattern" in html


def test_a_prompt_longer_than_the_context_is_read_in_part_and_says_so(app) -> None:
    run_prompt(app, "The cat sat on the mat. " * 120)
    assert "Only the first" in app.warning[0].value
    assert "stays in the box" in app.warning[0].value
    assert "token" in page_html(app)


def test_an_analysis_of_another_shape_is_refused(planted) -> None:
    from headroles.store import categories as store_categories

    store_categories.write_entry(planted_entry(5, 8), planted)
    app = open_page()
    assert "5 of 8" in app.warning[0].value


def test_a_model_that_cannot_be_reached_leads_back_to_the_bundled_one(app) -> None:
    run_prompt(app, NO_REPEATS)
    app.sidebar.selectbox(key=session.MODEL).set_value("gpt2").run()
    assert not app.exception
    assert "gpt2" in app.error[0].value
    assert app.text_area(key=session.BOX).value == NO_REPEATS
    app.button(key="app-use_default_model").click().run()
    assert not app.error
    assert app.sidebar.selectbox(key=session.MODEL).value == "demo"
    assert app.text_area(key=session.BOX).value == NO_REPEATS


def test_the_way_to_all_heads_keeps_the_prompt(app) -> None:
    run_prompt(app, NO_REPEATS)
    app.button(key="your_prompt-all_heads").click().run()
    assert not app.exception
    assert [title.value for title in app.title] == ["Head map"]
    assert app.radio(key=session.MAP_SOURCE).value == session.PROMPTED
    assert app.session_state[session.PROMPT] == NO_REPEATS


def test_a_head_that_fits_nothing_leads_to_its_close_up(planted) -> None:
    from headroles.store import categories as store_categories

    entry = planted_entry(4, 8)
    other = entry.categories["other"]
    fewer = other.model_copy(update={"top_heads": other.top_heads[-3:]})  # few enough for chips
    categories = {**entry.categories, "other": fewer}
    store_categories.write_entry(entry.model_copy(update={"categories": categories}), planted)
    app = open_page()
    (chips,) = [group for group in app.get("button_group") if group.key == session.OTHER_HEAD]
    chips.set_value("L3H7").run()
    assert [title.value for title in app.title] == ["Head close-up"]
    assert app.session_state[session.HEAD] == Head(3, 7)


def test_the_real_model_with_the_shipped_analysis() -> None:
    if not CATEGORIES.exists():
        pytest.skip("data/head_categories.json is not there")
    app = open_page()
    assert not app.error
    assert not app.warning
    assert "●" in page_html(app)
