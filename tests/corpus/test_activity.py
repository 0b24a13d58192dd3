"""Roles in the wild: by hand, by a plain loop over single prompts, and through TransformerLens."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from headroles.analysis import bridge
from headroles.capture import capture, each_layer
from headroles.corpus import Corpus, Pass
from headroles.corpus.activity import Activity, needed, shuffle
from headroles.corpus.role_shares import RoleShares
from headroles.models import load_model
from headroles.roles import ROLES
from headroles.scoring import place_or_content
from headroles.types import Head
from tests.corpus.passes import by_hand, on_stories, pattern, whole

THRESHOLDS = {role.key: role.default_threshold for role in ROLES.values()}


def activity_of(corpus: Corpus, attention: torch.Tensor, visible=None) -> Activity:
    found = Activity(RoleShares(None, (1, attention.shape[1])), THRESHOLDS, (1, attention.shape[1]))
    found.begin(whole(corpus))
    found.on_layer(0, attention, visible)
    found.end()
    return found


# t = s a b c a b: at 4 the earlier a was followed by b, and b comes next here too; at 5 nothing
# comes next. So induction and duplicate token count at 4 alone.
IDS = (0, 1, 2, 3, 1, 2)
LOOKS = pattern(
    [1.0],
    [1.0, 0.0],
    [0.2, 0.8, 0.0],
    [0.5, 0.2, 0.3, 0.0],
    [0.6, 0.06, 0.3, 0.0, 0.04],
    [0.7, 0.0, 0.0, 0.0, 0.3, 0.0],
)


def test_shares_by_hand() -> None:
    means = activity_of(by_hand(IDS), LOOKS).means()
    # the token before, rows 2 to 5: .8, .3, 0, .3
    assert means["previous_token"].rows == [[4]]
    assert means["previous_token"].mean == [[pytest.approx(0.35)]]
    assert means["previous_token"].active == [[1]]  # .4 or a quarter of the way from chance
    # row 4: .3 of the .4 that does not rest
    assert means["induction"].rows == [[1]]
    assert means["induction"].mean == [[pytest.approx(0.75)]]
    assert means["induction"].active == [[1]]
    # row 4: .06 of the same
    assert means["duplicate_token"].mean == [[pytest.approx(0.15)]]
    assert means["duplicate_token"].active == [[0]]
    # column 0, rows 1 to 5
    assert means["positional"].mean == [[pytest.approx((1 + 0.2 + 0.5 + 0.6 + 0.7) / 5)]]
    assert means["positional"].active == [[4]]  # row 1 needs .625 and has 1; row 2 has .2


def test_a_copy_that_was_followed_by_something_else_does_not_count() -> None:
    """s a b c a c: what followed the earlier a was b, and c comes next."""
    means = activity_of(by_hand((0, 1, 2, 3, 1, 3)), LOOKS).means()
    assert means["induction"].rows == [[0]]
    assert means["induction"].active == means["induction"].mean == [[0]]


def test_chance_is_that_of_an_even_spread() -> None:
    even = torch.ones(6, 6).tril() / torch.arange(1, 7).unsqueeze(-1)
    found = activity_of(by_hand(IDS), even.expand(1, 1, 6, 6))
    means = found.means()
    for key in ("previous_token", "induction", "duplicate_token", "positional", "diffuse"):
        assert means[key].mean[0][0] == pytest.approx(found.chance(key)[0], abs=1e-4), key
    assert found.chance("induction") == [0.25]  # of a, b, c and itself
    assert found.chance("previous_token")[0] == pytest.approx(
        (1 / 3 + 1 / 4 + 1 / 5 + 1 / 6) / 4, abs=1e-4
    )
    assert sum(means["previous_token"].active[0]) == 0


def test_only_what_a_layer_sees_counts() -> None:
    """A window of two: nobody sees the earlier copy, and column 0 is seen from row 1 alone."""
    visible = torch.ones(6, 6).tril().triu(-1).bool()
    means = activity_of(by_hand(IDS), LOOKS, visible).means()
    assert means["induction"].rows == [[0]]
    assert means["positional"].rows == [[1]]
    assert means["previous_token"].rows == [[4]]


def test_the_error_is_over_documents_by_hand() -> None:
    """Ten documents of two passages: in each row the token before gets .5 in one half of the
    documents and .25 in the other. Documents differ and their passages do not, so there are ten
    numbers and not twenty: m = 4 or 2 of w = 8, R = .375, each m - R w is 1 or -1."""
    corpus = by_hand(*[(0, 1, 2, 3, 4, 5)] * 20)
    texts = [replace(one, document=f"text {at // 2}") for at, one in enumerate(corpus.passages)]
    corpus = Corpus(tuple(texts), corpus.encodings)
    attention = torch.zeros(20, 1, 6, 6)
    attention[..., 0] = 1
    for at in range(20):
        share = 0.25 if at // 2 % 2 else 0.5
        for query in range(2, 6):
            attention[at, 0, query, query - 1], attention[at, 0, query, 0] = share, 1 - share
    means = activity_of(corpus, attention).means()["previous_token"]
    assert means.rows == [[80]]
    assert means.passages == 20
    assert means.mean == [[0.375]]
    assert means.error == [[pytest.approx((10 / 9 * 10) ** 0.5 / 80, abs=1e-4)]]


def test_a_single_passage_has_no_error() -> None:
    """A pasted paragraph: how far another text would move the number, nobody knows."""
    means = activity_of(by_hand(IDS), LOOKS).means()
    assert {key: one.error for key, one in means.items()} == {key: [[None]] for key in means}


def test_needed_is_the_rule_of_one_prompt() -> None:
    for key in ("induction", "previous_token", "diffuse"):
        for chance in (0.0, 0.1, 0.5):
            ours = needed(ROLES[key], 0.4, torch.tensor([chance]))
            assert float(ours) == pytest.approx(ROLES[key].needed(0.4, chance))


# ------------------------------------------------------------------ a plain loop


@pytest.fixture(scope="module")
def stories():
    return on_stories(10)


def naive(passages, key: str, head: Head, threshold: float):
    """Rows, active rows, masses and works of a role of repetition, one cell after the other."""
    loaded, masses, works, active = load_model("demo"), [], [], 0
    for passage in passages:
        run = capture(loaded, passage.text)
        A, t = run.attention[head].tolist(), run.encoding.token_ids
        mass = work = 0.0
        rows = 0
        for q in range(1, len(t) - 1):
            copies = [k for k in range(1, q) if t[k] == t[q]]
            follow = [k + 1 for k in copies]
            if not any(t[k + 1] == t[q + 1] for k in copies):
                continue
            wanted, other = (follow, copies) if key == "induction" else (copies, follow)
            cells = [k for k in wanted if k < q - 1 and k not in other]
            both = set(follow) & set(copies)
            counting = [
                k for k in range(1, q + 1) if k not in both and not (k == q - 1 and k in wanted)
            ]
            if not cells:
                continue
            rows += 1
            m, w = sum(A[q][k] for k in cells), sum(A[q][k] for k in counting)
            mass, work = mass + m, work + w
            chance = len(cells) / len(counting)
            active += m / max(w, 0.02) >= ROLES[key].needed(threshold, chance)
        if rows:
            masses.append(mass)
            works.append(work)
    return np.array(masses), np.array(works), active


@pytest.mark.parametrize("key", ["induction", "duplicate_token"])
def test_a_plain_loop_finds_the_same(stories, key: str) -> None:
    done, setting = stories
    found = done.parts["activity"].record()[key].text
    for head in setting.listed(key)[:2]:
        mass, work, active = naive(setting.corpus.passages, key, head, setting.thresholds[key])
        assert found.passages == len(mass) > 3
        assert found.active[head.layer][head.head] == active
        mean = mass.sum() / work.sum()
        assert found.mean[head.layer][head.head] == pytest.approx(mean, abs=2e-4)
        n = len(mass)
        error = np.sqrt(n / (n - 1) * ((mass - mean * work) ** 2).sum()) / work.sum()
        assert found.error[head.layer][head.head] == pytest.approx(error, abs=2e-4)


def test_previous_token_and_evenness_of_single_prompts(stories) -> None:
    done, setting = stories
    record = done.parts["activity"].record()
    before, spread, rows, choice = torch.zeros(4, 8), torch.zeros(4, 8), 0, 0
    for passage in setting.corpus.passages:
        attention = capture(load_model("demo"), passage.text).attention
        before += attention.diagonal(-1, dim1=-2, dim2=-1)[..., 1:].sum(-1)
        length = attention.shape[-1]
        entropy = torch.special.entr(attention).sum(-1)[..., 1:]
        spread += (entropy / torch.arange(2, length + 1).log()).sum(-1)
        rows, choice = rows + length - 2, choice + length - 1
    found = record["previous_token"].text
    assert found.rows == [[rows]] * 4
    assert record["diffuse"].text.rows == [[choice]] * 4
    torch.testing.assert_close(torch.tensor(found.mean), before / rows, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        torch.tensor(record["diffuse"].text.mean), spread / choice, atol=1e-4, rtol=0
    )


def test_transformer_lens_gives_the_same_record(stories) -> None:
    ours = stories[0].parts["activity"].record()
    theirs = on_stories(10, run=partial(bridge.each_layer, bridge.load_bridge("demo")))[0]
    for key, one in theirs.parts["activity"].record().items():
        torch.testing.assert_close(
            torch.tensor(one.text.mean), torch.tensor(ours[key].text.mean), atol=2e-4, rtol=0
        )
        assert one.text.rows == ours[key].text.rows


# ------------------------------------------------------------------ content or place


def test_shuffled_passages_hold_the_same_tokens() -> None:
    corpus = by_hand((0, 1, 2, 3, 4, 5, 6, 7, 8), (0, 5, 5, 6))
    mixed = shuffle(corpus, seed=1)
    for one, other in zip(corpus.encodings, mixed.encodings, strict=True):
        assert other.token_ids[0] == 0
        assert sorted(other.token_ids) == sorted(one.token_ids)
        assert [f" t{token}" for token in other.token_ids] == list(other.tokens)
    assert mixed.encodings[0].token_ids != corpus.encodings[0].token_ids
    again = shuffle(corpus, seed=1).encodings
    assert [one.token_ids for one in again] == [one.token_ids for one in mixed.encodings]


def test_the_control_has_the_rows_of_the_text(stories) -> None:
    """All ten stories are few, so all of them are shuffled: the same cells, other tokens."""
    for one in stories[0].parts["activity"].record().values():
        assert one.shuffled.rows == one.text.rows


def test_induction_goes_by_content_and_a_previous_token_head_by_place(stories) -> None:
    done, setting = stories
    record = done.parts["activity"].record()
    for key, kinds in (("induction", {"content"}), ("previous_token", {"positional", "partly"})):
        one, head = record[key], setting.listed(key)[0]
        verdict = place_or_content(
            one.text.mean[head.layer][head.head],
            one.shuffled.mean[head.layer][head.head],
            threshold=one.threshold,
            zero=one.chance[head.layer],
        )
        assert verdict.kind in kinds, (key, head, verdict)


def test_a_pass_in_small_steps_finds_the_same_activity() -> None:
    """The page Real text runs one long passage per step."""
    done, setting = on_stories(12)
    small = Pass(setting, max_cells=1)
    assert len(small) > len(done)
    assert small.tokens == done.tokens
    for place in range(len(small)):
        small.step(place, partial(each_layer, load_model("demo")))
    one, other = done.parts["activity"].record(), small.parts["activity"].record()
    assert one.keys() == other.keys()
    for key in one:
        assert one[key].text.rows == other[key].text.rows
        assert one[key].text.active == other[key].text.active
        assert torch.allclose(
            torch.tensor(one[key].shuffled.mean), torch.tensor(other[key].shuffled.mean), atol=1e-3
        )
