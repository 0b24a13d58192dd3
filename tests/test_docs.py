"""The documents say what the code does: commands, options, roles, links and versions."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import headroles
from headroles.paths import ROOT
from headroles.roles import ROLES

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("**/*.md"))]
SCRIPTS = sorted(path for path in (ROOT / "scripts").glob("*.py") if path.stem != "__init__")
RUN_COMMAND = "pip install -r requirements.txt && streamlit run streamlit_app.py"
TEST_COMMAND = "pip install -r requirements-dev.txt && pytest"


@pytest.fixture(scope="module")
def readme() -> str:
    path = ROOT / "README.md"
    assert path.is_file(), "README.md is missing"
    return path.read_text(encoding="utf-8")


def marked_block(text: str, marker: str) -> str:
    """The first fenced block after ``<!-- marker -->``."""
    found = re.search(rf"<!-- {marker} -->\s*```\w*\n(.*?)\n```", text, re.DOTALL)
    assert found, f"README.md has no fenced block right after <!-- {marker} -->"
    return found[1]


@pytest.mark.parametrize(
    ("marker", "command"), [("run command", RUN_COMMAND), ("test command", TEST_COMMAND)]
)
def test_the_readme_gives_the_two_commands(readme: str, marker: str, command: str) -> None:
    assert marked_block(readme, marker) == command


def test_ci_runs_exactly_the_readmes_test_command(readme: str) -> None:
    ci = ROOT / ".ci" / "run"
    assert os.access(ci, os.X_OK), ".ci/run is not executable"
    shown = subprocess.run([ci, "--show"], capture_output=True, text=True, check=True).stdout
    assert shown.rstrip("\n") == marked_block(readme, "test command")


def test_ci_refuses_a_readme_without_the_command(tmp_path: Path) -> None:
    (tmp_path / ".ci").mkdir()
    copy = tmp_path / ".ci" / "run"
    copy.write_bytes((ROOT / ".ci" / "run").read_bytes())
    (tmp_path / "README.md").write_text("# No command here\n\n```\nrm -rf nothing\n```\n")
    result = subprocess.run(["bash", copy, "--show"], capture_output=True, text=True)
    assert result.returncode == 1
    assert "no fenced block" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("role", ROLES.values(), ids=list(ROLES))
def test_the_readme_names_every_role(readme: str, role) -> None:
    assert f"`{role.key}`" in readme, f"README.md does not name the role `{role.key}`"
    assert role.name in readme, f"README.md does not say that `{role.key}` is shown as {role.name}"


def options_of(script: Path) -> Iterator[str]:
    """The ``--options`` that a script adds to its parser."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
            for argument in node.args:
                value = getattr(argument, "value", None)
                if isinstance(value, str) and value.startswith("--"):
                    yield value


def test_options_are_found_where_there_are_some() -> None:
    """Without this, the next test would pass if it looked in the wrong place."""
    assert "--seed" in options_of(ROOT / "scripts" / "analyze_heads.py")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_every_script_and_its_options_are_documented(script: Path) -> None:
    documents = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    call = f"python -m scripts.{script.stem}"
    assert call in documents, f"no document shows how to call {call}"
    missing = [
        option
        for option in options_of(script)
        if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", documents)
    ]
    assert not missing, f"no document explains {missing} of {call}"


@pytest.mark.parametrize("page", sorted((ROOT / "pages").glob("*.py")), ids=lambda page: page.stem)
def test_the_readme_names_every_page(readme: str, page: Path) -> None:
    name = page.stem.replace("_", " ")  # your_prompt.py is the page "Your Prompt"
    said = readme.lower().replace("-", "")  # head_closeup.py is the page "Head close-up"
    assert name in said, f"README.md does not describe the page “{name.title()}”"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_inside_the_project_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    local = [link.partition("#")[0] for link in links if "://" not in link]
    dead = [link for link in local if link and not (document.parent / link).exists()]
    assert not dead


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert headroles.__version__ == project["version"]
    changelog = ROOT / "CHANGELOG.md"
    assert changelog.is_file(), "CHANGELOG.md is missing"
    heading = rf"^## \[?{re.escape(project['version'])}\b"
    assert re.search(heading, changelog.read_text(encoding="utf-8"), re.MULTILINE)
