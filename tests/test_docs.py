"""The documents say what the code does: commands, options, roles, packages, files and versions."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import headroles
from headroles.paths import ROOT
from headroles.roles import BASIC_ROLES

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
CARDS = sorted(ROOT.glob("data/*/README.md"))
FOLDERS = ("headroles", "scripts", "pages", "tests", "docs", "data", "deploy", ".ci", ".streamlit")
MADE_LATER = {
    ".streamlit/secrets.toml",
    "data/audit.jsonl",
    "data/class_lessons.json",
    "data/class_roles.json",
    "data/history",
    "data/jobs",
    "data/models.toml",
}
"""Named in documents, and made by the app or an instructor."""
SCRIPTS = {
    path.parent.name if path.stem == "__main__" else path.stem: path
    for path in sorted([*ROOT.glob("scripts/*.py"), *ROOT.glob("scripts/*/__main__.py")])
    if path.stem not in ("__init__", "command_line", "on_prompt")  # which are no commands
}
LAYERS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
    "importlinter"
]["contracts"][0]["layers"]
RUN_COMMAND = "pip install -r requirements.txt && streamlit run streamlit_app.py"
TEST_COMMAND = "pip install -r requirements-dev.txt && pytest"


@pytest.fixture(scope="module")
def readme() -> str:
    path = ROOT / "README.md"
    assert path.is_file(), "README.md is missing"
    return path.read_text(encoding="utf-8")


def shown(document: Path) -> str:
    """A document's name in the list of tests."""
    return document.relative_to(ROOT).as_posix()


def marked_block(text: str, marker: str) -> str:
    """The first fenced block after ``<!-- marker -->``."""
    block = re.search(rf"<!-- {marker} -->\s*```\w*\n(.*?)\n```", text, re.DOTALL)
    assert block, f"there is no fenced block right after <!-- {marker} -->"
    return block[1]


@pytest.mark.parametrize(
    ("marker", "command"), [("run command", RUN_COMMAND), ("test command", TEST_COMMAND)]
)
def test_the_readme_gives_the_two_commands(readme: str, marker: str, command: str) -> None:
    assert marked_block(readme, marker) == command


def test_the_readme_is_short(readme: str) -> None:
    assert len(readme.splitlines()) <= 120, "what is not for a newcomer belongs in docs/"


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


@pytest.mark.parametrize("role", BASIC_ROLES.values(), ids=list(BASIC_ROLES))
def test_the_readme_names_every_role(readme: str, role) -> None:
    assert f"`{role.key}`" in readme, f"README.md does not name the role `{role.key}`"
    assert role.name in readme, f"README.md does not say that `{role.key}` is shown as {role.name}"


def options_of(script: Path) -> Iterator[str]:
    """The ``--options`` that a script adds to its parser."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        function = getattr(node, "func", None)
        called = getattr(function, "attr", "") or getattr(function, "id", "")
        if called in ("add_argument", "add"):
            for argument in node.args:
                value = getattr(argument, "value", None)
                if isinstance(value, str) and value.startswith("--"):
                    yield value


def test_options_are_found_where_there_are_some() -> None:
    """Without this, the next test would pass if it looked in the wrong place."""
    assert "--seed" in options_of(ROOT / "scripts" / "analyze_heads.py")


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_and_its_options_are_documented(name: str) -> None:
    commands = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    call = f"python -m scripts.{name}"
    about = "".join(part for part in re.split(r"^(?=## )", commands, flags=re.M) if call in part)
    assert about, f"docs/commands.md does not show how to call {call}"
    missing = [
        option
        for option in options_of(SCRIPTS[name])
        if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", about)
    ]
    assert not missing, f"docs/commands.md does not explain {missing} of {call}"


def test_the_examples_from_python_run_as_written(capsys) -> None:
    text = (ROOT / "docs" / "data_and_api.md").read_text(encoding="utf-8")
    _, _, from_python = text.partition("\n## From Python\n")
    section, _, _ = from_python.partition("\n## ")
    summary, answer = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    exec(summary, {})
    assert "('L1H4', True" in capsys.readouterr().out
    found: dict = {}
    exec(answer, found)
    assert found["parts"].total == pytest.approx(found["parts"].logit, abs=1e-4)
    told = capsys.readouterr().out
    assert all(f"L3H{head} 0." in told for head in (5, 3, 7))


@pytest.mark.parametrize("page", sorted((ROOT / "pages").glob("*.py")), ids=lambda page: page.stem)
def test_the_readme_names_every_page(readme: str, page: Path) -> None:
    name = page.stem.replace("_", " ")  # your_prompt.py is the page "Your Prompt"
    said = readme.lower().replace("-", "")  # head_closeup.py is the page "Head close-up"
    assert name in said, f"README.md does not describe the page “{name.title()}”"


@pytest.mark.parametrize("document", [*DOCUMENTS, *CARDS], ids=shown)
def test_links_inside_the_project_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8"))
    for link in (link for link in links if "://" not in link):
        name, _, heading = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), f"{link} leads nowhere"
        assert not heading or heading in headings(target), f"{link}: no such heading"


def headings(document: Path) -> set[str]:
    """The anchors of a document's headings, made as GitHub makes them."""
    lines = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("document", [*DOCUMENTS, *CARDS], ids=shown)
def test_every_file_that_is_named_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    starts = "|".join(map(re.escape, FOLDERS))
    paths = re.findall(rf"(?<![\w./-])(?:{starts})/[\w./-]*", text)
    asked = {path.rstrip("./") for path in paths} - MADE_LATER
    assert not [path for path in sorted(asked) if not (ROOT / path).exists()]
    bare = set(re.findall(r"`([\w-]+\.(?:py|toml|txt|json|md))`", text))
    assert not bare - files()


@cache
def files() -> set[str]:
    """The names of the project's files."""
    places = [ROOT.glob("*"), *((ROOT / folder).rglob("*") for folder in FOLDERS)]
    return {path.name for place in places for path in place if path.is_file()}


@pytest.mark.parametrize(
    ("layer", "package"),
    [(i, name) for i, row in enumerate(LAYERS, 1) for name in row.split(" | ")],
)
def test_architecture_gives_every_package_its_layer(layer: int, package: str) -> None:
    table = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert f"\n| {layer} | `{package}` | " in table


def test_one_version_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert headroles.__version__ == project["version"]
    changelog = ROOT / "CHANGELOG.md"
    assert changelog.is_file(), "CHANGELOG.md is missing"
    heading = rf"^## \[?{re.escape(project['version'])}\b"
    assert re.search(heading, changelog.read_text(encoding="utf-8"), re.MULTILINE)
