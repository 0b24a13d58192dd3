"""No key of the session belongs to two pages."""

from __future__ import annotations

import ast
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from headroles.paths import ROOT
from headroles.ui.app.keys import Keys

UI = ROOT / "headroles" / "ui"
FOLDERS = sorted(path.name for path in UI.iterdir() if (path / "__init__.py").exists())
FILES = sorted([*UI.glob("*/*.py"), *(ROOT / "pages").glob("*.py")])
NAMES_A_CHART = ("chart_key", "on_click", "on_row", "forget_selection")
"""Functions of the session whose first argument becomes a key."""
NO_WIDGET = ("sorted", "max", "min", "sort", "Role", "partial", "_show")
"""Calls whose ``key`` is none of the session."""


def declarations() -> list[Keys]:
    """What every module of the app declares."""
    modules = [
        import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for path in UI.glob("*/*.py")
        if "Keys(__name__)" in path.read_text(encoding="utf-8")
    ]
    made = {id(keys): keys for module in modules for keys in vars(module).values()}
    return [keys for keys in made.values() if isinstance(keys, Keys)]


def test_every_key_is_declared_once_under_the_name_of_its_page() -> None:
    declared = Counter(key for keys in declarations() for key in keys.declared)
    assert len(declared) > 80
    assert [key for key, times in declared.items() if times > 1] == []
    assert {key.partition("-")[0] for key in declared} <= {"app", *FOLDERS}


def test_the_two_labs_do_not_share_their_heads() -> None:
    from headroles.ui.detector_lab import state as detector_lab
    from headroles.ui.knockout_lab import state as knockout_lab

    assert detector_lab.HEADS != knockout_lab.LAB_HEADS


def written_keys(path: Path) -> list[tuple[int, str]]:
    """(line, how it begins) of every session key that a file spells out itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return [
        (node.lineno, text)
        for node in ast.walk(tree)
        for value in _keys_of(node)
        if (text := _beginning(constants.get(getattr(value, "id", ""), value))) is not None
    ]


def _keys_of(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("session_state"):
        return [node.slice]
    if not isinstance(node, ast.Call):
        return []
    owner, _, called = ast.unparse(node.func).rpartition(".")
    first = node.args[:1]
    if owner.endswith("session_state") or called in NAMES_A_CHART:
        return first
    return [each.value for each in node.keywords if each.arg == "key" and called not in NO_WIDGET]


def _beginning(value: ast.expr) -> str | None:
    if isinstance(value, ast.JoinedStr) and value.values:
        value = value.values[0]
    return value.value if isinstance(value, ast.Constant) and value.value is not None else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_key_that_is_spelled_out_begins_with_its_page(path: Path) -> None:
    page = path.stem if path.parent.name == "pages" else path.parent.name
    assert [
        (line, key) for line, key in written_keys(path) if not str(key).startswith(f"{page}-")
    ] == []


def test_the_search_finds_the_keys(tmp_path: Path) -> None:
    file = tmp_path / "page.py"
    file.write_text(
        'TABLE = "heads"\n'
        'st.button("Run", key="run")\n'
        'st.button("Run", key=f"run_{number}")\n'
        'st.session_state["lab_heads"] = st.session_state.get("other")\n'
        "elements.chart(key=session.chart_key(TABLE))\n"
        'st.toggle("On", key=state.ON)\n'
        "sorted(heads, key=len)\n",
        encoding="utf-8",
    )
    assert sorted(written_keys(file)) == [
        (2, "run"), (3, "run_"), (4, "lab_heads"), (4, "other"), (5, "heads"),
    ]  # fmt: skip


@pytest.mark.parametrize("page", FOLDERS)
def test_a_page_folder_is_called_like_its_page(page: str) -> None:
    assert page == "app" or (ROOT / "pages" / f"{page}.py").exists()
