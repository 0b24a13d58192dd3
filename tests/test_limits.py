"""The limits: the last size is taken, the next is refused in a sentence, before any work."""

from __future__ import annotations

import tomllib

import pytest

from headroles import limits, roles
from headroles.errors import LimitError
from headroles.limits import Limit
from headroles.paths import ROOT
from headroles.roles import pattern_matrix
from headroles.texts import encode
from headroles.ui.app import caches, keeper, saved_roles
from headroles.ui.app import session as app_session
from headroles.ui.app.link import Unusable, read_prompt
from headroles.ui.detector_lab import own_patterns, prompts, state
from headroles.ui.knockout_lab import many_form
from scripts import ablate_heads, circuits, detect_heads

TABLE = {name: limit for name, limit in vars(limits).items() if isinstance(limit, Limit)}
HUGE = "one two " * 2_500_000
"""Twenty million characters."""


@pytest.mark.parametrize("limit", TABLE.values(), ids=TABLE)
def test_the_sentence_says_the_size_the_limit_and_the_way_out(limit: Limit) -> None:
    limit.check(limit.most)
    with pytest.raises(LimitError) as caught:
        limit.check(limit.most + 1)
    assert f"{limit.most + 1:,}" in caught.value.message
    assert f"at most {limit.most:,}" in caught.value.message
    assert caught.value.hint
    assert caught.value.value == limit.most + 1


class Untouched:
    """A tokenizer, model or file that must not be used."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} was used")

    def __call__(self, *_given: object, **_settings: object) -> object:
        raise AssertionError("it was called")


def test_twenty_megabytes_are_refused_before_anything_reads_them(monkeypatch) -> None:
    monkeypatch.setattr(caches, "_cached_run", Untouched())
    monkeypatch.setattr(pattern_matrix, "csv", Untouched())
    monkeypatch.setattr(roles.expression, "ast", Untouched())
    for refuse in (
        lambda: encode(Untouched(), HUGE),
        lambda: caches.answer("demo", HUGE),
        lambda: roles.read_prompts(Untouched(), [HUGE], max_tokens=64),
        lambda: roles.read_prompts(Untouched(), ["a"] * 1001, max_tokens=64),
        lambda: prompts._lines(HUGE),
        lambda: many_form.own_prompts(HUGE),
        lambda: roles.read_matrix(HUGE),
        lambda: roles.of_expression(HUGE),
    ):
        with pytest.raises(LimitError):
            refuse()


def test_a_long_prompt_in_a_link_is_refused_by_its_length_alone() -> None:
    class Text(str):
        __slots__ = ()
        __iter__ = strip = None

    with pytest.raises(Unusable):
        read_prompt(Text(HUGE))


class Upload:
    """What Streamlit gives for an uploaded file."""

    file_id, name = "its id", "matrix.csv"

    def __init__(self, size: int, text: str = "") -> None:
        self.size, self.text, self.read = size, text, 0

    def getvalue(self) -> bytes:
        self.read += 1
        return self.text.encode()


def test_a_file_is_measured_before_it_is_decoded() -> None:
    assert prompts._text(Upload(limits.UPLOAD.most, "The cat")) == "The cat"
    larger = Upload(limits.UPLOAD.most + 1)
    with pytest.raises(LimitError):
        prompts._text(larger)
    assert not larger.read


def test_a_matrix_is_read_once_for_each_file() -> None:
    keeper.results().clear()
    file = Upload(7, "0,0\n1,0")
    for _ in range(3):
        assert own_patterns._matrix(file.file_id, 2, file) == ((0.0, 0.0), (1.0, 0.0))
    assert file.read == 1
    keeper.results().clear()


def test_the_server_takes_files_up_to_the_same_limit() -> None:
    server = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["server"]
    assert server["maxUploadSize"] * 1024 * 1024 == limits.UPLOAD.most


def test_own_prompts_up_to_the_limit() -> None:
    most = limits.OWN_PROMPTS.most
    assert len(many_form.own_prompts("a => b\n" * most)) == most
    for text in (
        "a\n" * (most + 1),
        "a" * (limits.PROMPT.most + 1),
        "a => " + "b" * (limits.ANSWER.most + 1),
    ):
        with pytest.raises(LimitError):
            many_form.own_prompts(text)


def test_several_prompts_up_to_the_limit() -> None:
    assert len(prompts._lines("a\n" * limits.PROMPTS.most)) == limits.PROMPTS.most
    assert prompts._lines("a" * limits.PROMPT.most) == ("a" * limits.PROMPT.most,)
    for text in ("a\n" * (limits.PROMPTS.most + 1), "a" * (limits.PROMPT.most + 1)):
        with pytest.raises(LimitError):
            prompts._lines(text)


@pytest.fixture
def session(monkeypatch) -> dict[str, object]:
    """A plain dict in place of Streamlit's session, with as many patterns as one may have."""
    store: dict[str, object] = {
        state.OWN: (),
        state.CHOSEN: [],
        state.REMOVED: None,
        state.FAULT: None,
        app_session.MODEL: "demo",
    }
    monkeypatch.setattr(state.st, "session_state", store)
    for places in range(limits.OWN_PATTERNS.most):
        state.add(roles.offset(places))
    return store


def test_a_session_has_patterns_up_to_the_limit(session) -> None:
    with pytest.raises(LimitError):
        state.add(roles.offset(60))
    assert len(session[state.OWN]) == limits.OWN_PATTERNS.most
    state.add(roles.offset(0))  # one that it has already


def test_a_removed_pattern_that_finds_no_room_is_not_lost(session) -> None:
    first = session[state.OWN][0]
    state.remove(first)
    state.add(roles.offset(60))
    state.undo_remove()
    assert isinstance(session[state.FAULT], LimitError)
    assert session[state.REMOVED] == first
    state.remove(session[state.OWN][-1])
    session[state.REMOVED] = first
    state.undo_remove()
    assert session[state.OWN][-1] == first


def test_a_session_has_roles_up_to_the_limit(session) -> None:
    every = [
        roles.SavedRole(roles.offset(n), "demo", ()) for n in range(limits.SESSION_ROLES.most + 1)
    ]
    for role in every[:-1]:
        state.save(role)
    assert session[state.FAULT] is None
    state.save(every[-1])
    assert isinstance(session[state.FAULT], LimitError)
    assert saved_roles.saved() == tuple(every[:-1])
    state.save(every[0])  # a newer ranking of one that is there
    assert len(saved_roles.saved()) == limits.SESSION_ROLES.most


@pytest.mark.parametrize(
    ("main", "command"),
    [
        (detect_heads.main, ["--prompt", "a" * (limits.PROMPT.most + 1)]),
        (detect_heads.main, ["--pattern", "expression:" + "q" * (limits.EXPRESSION.most + 1)]),
        (ablate_heads.main, ["--heads", "L0H0", "--prompt", "a", "--answer", "a" * 81]),
        (ablate_heads.main, ["--heads", "L0H0"] + ["--prompt", "a"] * 101),
        (ablate_heads.main, ["--heads", "L0H0", "--prompt", "a" * (limits.PROMPT.most + 1)]),
        (circuits.main, ["--token", "a" * (limits.TOKEN.most + 1)]),
    ],
    ids=["prompt", "expression", "answer", "prompts", "ablated prompt", "token"],
)
def test_command_lines_have_the_same_limits(main, command, capsys) -> None:
    assert main(command) == 2
    assert "are allowed" in capsys.readouterr().err


def test_a_command_line_measures_a_file_before_it_is_read(tmp_path, capsys) -> None:
    path = tmp_path / "large.csv"
    path.write_text("0" * (limits.UPLOAD.most + 1))
    assert detect_heads.main(["--matrix", str(path)]) == 2
    assert "2,097,153 bytes" in capsys.readouterr().err
