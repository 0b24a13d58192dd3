"""What the report says of real text is what is stored, and passages are read from their sources."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from headroles import models, paths, store
from headroles.paths import ROOT
from headroles.roles import ROLES
from headroles.store import real_text
from headroles.store.token_kinds import KindTable, Proposal, Proposals
from headroles.texts import encode, sources
from headroles.types import Head
from headroles.view.report import gather, html, markdown
from tests.report.reading import Page, markdown_says
from tests.report.test_report import by_caption, every, missing

FILE = real_text.path_of("demo", ROOT / "data")
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="nothing is stored for demo")


@pytest.fixture(scope="module")
def stored() -> dict:
    return json.loads(real_text.plain(FILE.read_bytes()))


@pytest.fixture(scope="module")
def gathered():
    return gather("demo")


def test_every_source_and_its_tokens(gathered, stored) -> None:
    _, *rows = by_caption(gathered)["What was read"]
    assert rows == [
        [one["name"], f"{one['tokens']:,}", one["licence"]] for one in stored["sources"]
    ]


def test_activity_is_out_of_1000_tokens(gathered, stored) -> None:
    header, *rows = by_caption(gathered)["Active per 1,000 tokens where the role applies"]
    assert len(rows) == len(stored["activity"])
    for row in rows:
        (key,) = (key for key, role in ROLES.items() if role.name == row[0])
        text = stored["activity"][key]["text"]
        listed = gathered.entry.listed(key)
        if not listed:
            continue
        rates = []
        for layer, head in listed:
            applies = text["rows"][layer]
            rates.append(text["active"][layer][head] / applies[head if len(applies) > 1 else 0])
        mean = 1000 * sum(rates) / len(rates)
        assert row[header.index("Its heads, active per 1,000 of these")].startswith(f"{mean:.0f} ")


def test_the_strongest_passages_stand_there_token_by_token(gathered, stored) -> None:
    page, tokenizer = html(gathered), models.load_tokenizer(str(paths.DEMO_MODEL))
    words = " ".join(Page(page).said)
    here = sources.find(one["digest"] for one in stored["passages"])
    seen = 0
    for key, heads in stored["evidence"]["roles"].items():
        for label, found in list(heads.items())[:6]:
            for passage, query, activation, *keys in found["strongest"][:2]:
                text = here.get(stored["passages"][passage]["digest"])
                if Head.parse(label) not in gathered.entry.listed(key)[:6] or text is None:
                    continue
                tokens = encode(tokenizer, text.text).tokens
                assert f"{label}, strongest: {round(activation / 10)}%" in words
                shares = dict(zip(keys[::2], keys[1::2], strict=True))
                best = max((place for place in shares if place), key=shares.get, default=None)
                if best is not None and shares[best] >= 20:
                    shade = 0.75 * shares[best] / 1000
                    assert f"background:rgb(46 127 208/{shade:.2f})" in page
                assert 0 < query < len(tokens)
                seen += 1
    assert seen >= 10


def test_what_the_strips_say_stands_in_both_files(gathered) -> None:
    page, words = html(gathered), markdown_says(markdown(gathered))
    strips = re.findall(r'<div class="strip">(.*?)</div>', page, re.S)
    assert len(strips) > 20
    for strip in strips:
        shown = re.sub(r"<wbr>|</?bdi>|<span[^>]*>|</span>", "", strip)
        plain = "".join(Page(f"<p>{shown}</p>").said)
        bare = re.sub(r"[→←\s]", "", plain)
        assert bare in re.sub(r"[→←\s]", "", words)
        assert strip.count('class="q"') == 1


def test_without_the_tokenizer_passages_are_text(gathered) -> None:
    bare = replace(gathered, tokenizer=None)
    page = html(bare)
    assert 'class="strip"' not in page
    assert "tokenizer is not on this machine" in page
    assert "strongest: " in page


def test_passages_of_another_python_are_named_and_counted(gathered, stored) -> None:
    gone = replace(gathered, passages={})
    page = html(gone)
    assert "is not among the texts of this machine" in page
    total = len(stored["passages"])
    assert any(f"{total} of {total} passages" in one for one in missing(gone))


def test_a_record_without_its_parts_costs_only_them(gathered) -> None:
    record = gathered.real_text.model_copy(update={"evidence": None, "activity": None})
    titles = [one.title for one in every(_document(replace(gathered, real_text=record)).sections)]
    assert "On real text" in titles
    assert "How often heads are at work" not in titles
    assert "The passages that show it" not in titles


@pytest.fixture(scope="module")
def with_kinds(gathered):
    """The same with kinds and patterns of this test's own: L2H0 is explained, L3H7 not."""
    even = [[500, 500], [250, 750]]
    kinds = KindTable(
        queries=["number", "name"],
        keys=["number", "name"],
        rows=[40, 60],
        even=[even],
        mean=[[even if (layer, head) != (2, 0) else [[900, 100], [250, 750]] for head in range(8)]
              for layer in range(4)],
    )  # fmt: skip
    best = {
        (2, 0): Proposal(pattern=0, fit=800, share=750, error=20, chance=200, gain=688),
        (3, 7): Proposal(pattern=1, fit=300, share=230, error=30, chance=200, gain=38),
    }
    proposals = Proposals(
        tried=7,
        chosen_on=111,
        held_out=222,
        patterns=["k == q - 2", 'kind(k) == "number" and k < q'],
        free=[[0.5] * 8 for _ in range(4)],
        heads=[[[best[layer, head]] if (layer, head) in best else [] for head in range(8)]
               for layer in range(4)],
    )  # fmt: skip
    record = gathered.real_text.model_copy(update={"kinds": kinds, "proposals": proposals})
    return replace(gathered, real_text=record)


def test_proposed_patterns_of_heads_that_fit_nothing(with_kinds) -> None:
    assert {Head(2, 0), Head(3, 7)} <= set(with_kinds.entry.listed("other"))
    _, *rows = by_caption(with_kinds)["The best pattern of each head"]
    assert [row[0] for row in rows] == ["L2H0", "L3H7"]  # the best explained first
    assert rows[0][1:5] == ["2 tokens back", "75% ± 2.0", "20%", "0.69"]
    assert rows[0][-1] == "k == q - 2"
    assert "nothing simple" in rows[1][1]
    words, others = markdown_says(markdown(with_kinds)), len(with_kinds.entry.listed("other"))
    assert f"A simple pattern explains 1 of {others} heads" in words
    assert "7 patterns on 111 tokens" in words
    assert "222 tokens of other documents" in words


def test_from_kind_to_kind_head_by_head(with_kinds) -> None:
    _, *rows = by_caption(with_kinds)["What stands out most, head by head"]
    by_head = dict(rows)
    assert len(by_head) == 32
    assert "numbers look at numbers with 90% of their attention, 50%" in by_head["L2H0"]
    assert "no kind of token" in by_head["L0H0"]


def test_patterns_that_could_not_be_tested_are_said(with_kinds) -> None:
    found = with_kinds.real_text
    untested = found.proposals.model_copy(update={"held_out": 0})
    record = found.model_copy(update={"proposals": untested})
    assert "no pattern could be tested" in html(replace(with_kinds, real_text=record))


def test_parts_that_are_not_stored_are_missing(with_kinds) -> None:
    said = "Real text, in part"
    assert not any(said in one for one in missing(with_kinds))
    record = with_kinds.real_text.model_copy(update={"kinds": None, "proposals": None})
    (line,) = (one for one in missing(replace(with_kinds, real_text=record)) if said in one)
    assert "table of kinds of tokens or proposed patterns" in line


def _document(gathered):
    from headroles.view.report import document

    return document(gathered)


def test_a_file_with_a_place_that_is_not_there_is_damaged(tmp_path, monkeypatch, stored) -> None:
    monkeypatch.setattr(paths, "DATA", tmp_path)
    (tmp_path / "real_text").mkdir()
    broken = json.loads(json.dumps(stored))
    broken["evidence"]["heads"]["L0H0"]["strongest"][0][0] = 10_000
    real_text.path_of("demo").write_text(json.dumps(broken))
    found = gather("demo")
    assert found.real_text is None
    assert "cannot be read" in html(found)
    assert store.read_entry("demo") == found.entry
