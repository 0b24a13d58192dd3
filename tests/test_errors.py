"""Every error is one sentence about what is wrong and one about the way out."""

from __future__ import annotations

import errno

import pytest

from headroles import errors
from headroles.errors import HeadrolesError, near_match

EXAMPLES = [
    errors.EmptyPromptError(),
    errors.LimitError("The prompt has 3 characters", size=3, most=2, hint="Shorten it."),
    errors.TextFileError("The file a.txt is empty.", hint="Save it anew.", value="a.txt"),
    errors.UnknownRoleError("inductoin", known=["induction", "diffuse"]),
    errors.UnknownHeadError("L9H9", layers=4, heads=8),
    errors.NoHeadOfRoleError("induction", model="demo", listed=["diffuse"]),
    errors.NoHeadOfRoleError("induction", model="demo", listed=[]),
    errors.PairError("The prompts have the same tokens.", hint="Exchange a word.", value="a"),
    errors.ShapeError("Attention", expected="[3, 3]", got=[4, 4]),
    errors.UnknownModelError("gtp2", known=["gpt2"]),
    errors.ModelUnavailableError("gpt2", why="No network."),
    errors.ModelUnavailableError("folder", why="No weights.", is_folder=True),
    errors.ServerBusyError(["gpt2", "demo"]),
    errors.ModelRunError("demo", why="its positions have come to an end."),
    errors.NotANumberError("demo", where="layer 3"),
    errors.UnsupportedModelError("t5", why="it is an encoder-decoder model."),
    errors.CategoriesMissingError("There are no scores.", model="gpt2"),
    errors.CategoriesBrokenError("data/head_categories.json", why="Not JSON."),
    errors.ModelListError("models.toml", why="it is not valid TOML."),
    errors.ClassRolesError("class_roles.json", why="it is not valid JSON."),
    errors.ModelNotListedError("a/b", why="it is the same model as 'c'."),
    errors.OtherWeightsError("GPT-2", model="gpt2", measured="revision 1", now="revision 2"),
    errors.StaleWriteError("'gpt2'"),
    errors.UnknownVersionError("../secrets.json"),
    errors.FileBusyError("data/head_categories.json", seconds=30),
    *(
        errors.DiskError("data/head_categories.json", OSError(number, "Some reason"))
        for number in (errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO)
    ),
    errors.DiskFullError("cache", needs=740_000_000, free=50_000_000),
    errors.AccessConfigError(),
    errors.WrongSecretError("token"),
    errors.WrongSecretError("password"),
    errors.TooManyAttemptsError(3.2),
    errors.NotSignedInError(),
    errors.UnknownJobError("job-1"),
    errors.ModelNameError("../secrets", known=["gpt2"]),
    errors.ModelNameError("owner/name", known=["gpt2"], is_folder=True),
    errors.NoRoomError("big", needs=9_000_000_000, available=10_000_000, shortened=True),
    errors.SettingError("HEADROLES_PRECISION", "float23", known=["auto", "float32"]),
    errors.TooLargeError("big", what="memory", needs=9_000_000_000, available=10_000_000),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_says_what_and_what_to_do(error: HeadrolesError) -> None:
    assert str(error) == f"{error.message} {error.hint}"
    for sentence in (error.message, error.hint):
        assert sentence[0].isupper()
        assert sentence == sentence.strip()
    assert error.value is not None


def test_the_offending_value_is_kept_and_shown() -> None:
    limit = errors.LimitError("The prompt has 300,000 characters", size=3, most=50_000, hint="Cut.")
    assert "300,000 characters; at most 50,000 are allowed. Cut." in str(limit)
    assert "layers 0 to 3 and heads 0 to 7" in str(errors.UnknownHeadError("x", layers=4, heads=8))
    assert "--model someone/x" in str(errors.CategoriesMissingError("None.", model="someone/x"))


@pytest.mark.parametrize(
    ("value", "expected"), [("gtp2", " Did you mean 'gpt2'?"), ("zebra", ""), ("", "")]
)
def test_a_near_match_is_offered_only_when_near(value: str, expected: str) -> None:
    assert near_match(value, ["gpt2", "opt-125m"]) == expected


class PanicException(BaseException):
    """What tokenizers and safetensors raise when they panic."""


@pytest.mark.parametrize("cause", [KeyError("BPE-v2"), ImportError("x"), PanicException("x")])
def test_whatever_a_library_raises_is_one_of_ours(cause: BaseException) -> None:
    with (
        pytest.raises(HeadrolesError, match=r"^It cannot be read\.$") as caught,
        errors.ours(lambda _: HeadrolesError("It cannot be read.")),
    ):
        raise cause
    assert caught.value.__cause__ is cause


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), errors.EmptyPromptError()])
def test_our_errors_and_signals_pass_a_boundary(signal: BaseException) -> None:
    with pytest.raises(type(signal)), errors.ours(lambda _: HeadrolesError("no")):
        raise signal
