"""The project's own rules, held by its tests: style, import directions, shape checks."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from headroles.paths import ROOT
from headroles.scoring import activation
from headroles.texts import tokenization
from headroles.verdicts import scores

TOOLS = Path(sys.executable).parent
"""Where the tools of this very environment lie, on the PATH or not."""


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(TOOLS / command[0]), *command[1:]], cwd=cwd, capture_output=True, text=True
    )


def assert_passes(result: subprocess.CompletedProcess[str]) -> None:
    assert result.returncode == 0, f"\n{result.stdout}{result.stderr}"


def test_ruff_finds_nothing() -> None:
    assert_passes(run("ruff", "check", "--no-cache"))


def test_ruff_would_format_nothing() -> None:
    assert_passes(run("ruff", "format", "--check", "--no-cache"))


def test_imports_keep_to_the_layers() -> None:
    assert_passes(run("lint-imports", "--no-cache"))


def test_a_violation_is_really_caught(tmp_path: Path) -> None:
    """The contracts name real packages: one new module breaks two of them."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(
        ROOT / "headroles", tmp_path / "headroles", ignore=shutil.ignore_patterns("__pycache__")
    )
    (tmp_path / "headroles" / "brand_new.py").write_text("def f():\n    import pyvene\n")
    result = run("lint-imports", "--no-cache", cwd=tmp_path)
    assert result.returncode == 1
    for contract in ("Imports point downward", "Only capture imports PyVene"):
        assert f"{contract} BROKEN" in result.stdout


@pytest.mark.parametrize(
    "page",
    [ROOT / "streamlit_app.py", *sorted((ROOT / "pages").glob("*.py"))],
    ids=lambda p: p.name,
)
def test_a_page_leaves_the_work_to_the_package(page: Path) -> None:
    """import-linter does not see pages: Streamlit and the runtime half are all they may import."""
    nodes = list(ast.walk(ast.parse(page.read_text())))
    imported = {
        alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    allowed = {"streamlit", "headroles", *sys.stdlib_module_names}
    assert {name.partition(".")[0] for name in imported} <= allowed
    assert not {
        name for name in imported if name.startswith(("headroles.analysis", "headroles.tr"))
    }


# ------------------------------------------------------------------ shapes are checked in tests


def test_shape_checks_are_on() -> None:
    """jaxtyping checks only what is imported after its hook: these calls must really fail."""
    square = torch.ones(3, 3)
    with pytest.raises(TypeError, match="role_activation"):
        activation.role_activation(torch.ones(3), [0, 1, 2], "induction")  # no [query key]
    with pytest.raises(TypeError, match="evidence"):
        activation.evidence(torch.ones(2, 3, 3), [0, 1, 2], "induction")  # two heads, not one
    with pytest.raises(TypeError, match="mean_entropy"):
        activation.mean_entropy(square.long().unsqueeze(0))  # counts, not shares
    with pytest.raises(TypeError, match="score_prompt"):
        scores.score_prompt(square, [0, 1, 2])  # no [layer head]
    with pytest.raises(TypeError, match="cell_weights"):
        activation.cell_weights(square)  # numbers, not marks


def test_a_wrong_result_is_caught_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activation, "row_sizes", lambda length, _: torch.ones(length, 1))
    with pytest.raises(TypeError, match="row_entropy"):
        activation.row_entropy(torch.ones(3, 3))  # broadcasts to [query query] instead of [query]


@pytest.mark.parametrize("module", [activation, scores, tokenization])
def test_the_modules_with_shapes_are_instrumented(module) -> None:
    # A checked function carries the wrapper's attribute.
    assert any(hasattr(value, "__wrapped__") for value in vars(module).values())


# ------------------------------------------------------------------ lanes, and no silent skip in CI


def test_what_has_no_other_lane_is_fast(request: pytest.FixtureRequest) -> None:
    marks = {mark.name for mark in request.node.iter_markers()}
    assert marks & {"browser", "page", "slow", "fast"} == {"fast"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("required", "says"), [("1", "1 failed, 1 skipped, 1 error"), ("", "3 skipped")]
)
def test_a_skipped_browser_test_fails_where_a_browser_is_required(
    tmp_path: Path, required: str, says: str
) -> None:
    (tmp_path / "test_skips.py").write_text("""
import pytest

@pytest.fixture
def browser():
    pytest.skip("no Chromium")

@pytest.mark.browser
def test_by_fixture(browser): pass

@pytest.mark.browser
def test_by_itself(): pytest.skip("no Chromium")

def test_of_another_kind(): pytest.skip("never counts")
""")
    result = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-c", ROOT / "pyproject.toml", tmp_path),
            *("-p", "tests.conftest", "-p", "no:cacheprovider", "--no-cov", "-n0"),
        ],
        cwd=ROOT,
        env={**os.environ, "HEADROLES_REQUIRE_BROWSER": required, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
    )
    assert says in result.stdout, result.stdout + result.stderr


# ------------------------------------------------------------------ what may not be in the files

_OURS = ["*.py", "*.md", "*.toml", "*.txt", "*.yml", "*.css", ".ci/run", ".streamlit/*", "deploy/*"]


def test_no_file_names_a_machine_or_a_secret() -> None:
    """Paths of somebody's home, package mirrors and tokens have no place in a public repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of the project's files")
    listed = run_git("ls-files", "--", *_OURS).splitlines()
    assert "headroles/scoring/activation.py" in listed
    marks = [
        "/ho" + "me/",
        "/Us" + "ers/",
        "--index" + "-url",
        "--extra-index" + "-url",
        "h" + "f_tok",
    ]
    found = [
        f"{name}: {mark}"
        for name in listed
        if (ROOT / name).is_file()
        for mark in marks
        if mark in (ROOT / name).read_text(errors="replace")
    ]
    assert not found


def run_git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


# ------------------------------------------------------------------ a house with rooms

_MODULES = [
    ROOT / "streamlit_app.py",
    *sorted(
        path for room in ("headroles", "scripts", "pages") for path in (ROOT / room).rglob("*.py")
    ),
]
_LONGEST_FILE, _LONGEST_FUNCTION, _MODULES_IN_THE_ROOT = 450, 50, 8


def _functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_few_modules_lie_in_the_root_of_the_package():
    modules = [path.name for path in (ROOT / "headroles").glob("*.py")]
    assert len(modules) <= _MODULES_IN_THE_ROOT, f"give one of {modules} a package"


def test_a_file_can_be_read_in_one_go():
    longer = {
        _name(path)
        for path in _MODULES
        if len(path.read_text(encoding="utf-8").splitlines()) > _LONGEST_FILE
    }
    assert not longer


def test_a_function_fits_on_a_screen():
    longer = {
        f"{_name(path)}: {function.name}"
        for path in _MODULES
        for function in _functions(path)
        if function.end_lineno - function.lineno + 1 > _LONGEST_FUNCTION
    }
    assert not longer


def test_no_function_imports():
    """What is slow to import is loaded on use by the face of its package instead."""
    inside = [
        f"{_name(path)}:{node.lineno}"
        for path in _MODULES
        for function in _functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not inside


def test_no_module_is_hidden_by_a_package_of_its_name():
    """Python takes the package, and whatever the module held is gone without an error."""
    modules = (ROOT / "headroles").rglob("*.py")
    assert [module for module in modules if module.with_suffix("").is_dir()] == []
