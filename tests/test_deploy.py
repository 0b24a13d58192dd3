"""The recipe for servers without a GPU: the wheel it names is the pinned one, and pip takes it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from headroles.paths import ROOT
from tests.test_docs import marked_block


def pinned_torch() -> Version:
    found = re.search(r"^torch==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert found
    return Version(found[1])


def test_the_wheel_of_the_recipe_is_the_pinned_one_for_the_python_it_names() -> None:
    recipe = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    line = Requirement(marked_block(recipe, "cpu wheel"))
    assert line.name == "torch"
    name, version, _, tags = parse_wheel_filename(line.url.rpartition("/")[2].replace("%2B", "+"))
    assert (name, version.public, version.local) == ("torch", str(pinned_torch()), "cpu")
    (python,) = {tag.interpreter for tag in tags}
    assert f"| Python (*Advanced settings*) | {python[2]}.{python[3:]}:" in recipe
    assert "`torch==2.13.0`" in recipe  # the line that it replaces


def wheel(index: Path, version: str) -> None:
    """A wheel without content, in an index of its own."""
    folder = index / "torch"
    folder.mkdir(parents=True)
    about = f"torch-{version}.dist-info"
    name = f"torch-{version}-py3-none-any.whl"
    with zipfile.ZipFile(folder / name, "w") as file:
        file.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
        )
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")
    (folder / "index.html").write_text(f'<a href="{name.replace("+", "%2B")}">{name}</a>')


def test_pip_takes_the_cpu_wheel_of_an_extra_index_for_the_pin(tmp_path: Path) -> None:
    pin = str(pinned_torch())
    wheel(tmp_path / "main", pin)
    wheel(tmp_path / "cpu", f"{pin}+cpu")
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--quiet"]
    command += ["--ignore-installed", "--report", str(report), f"torch=={pin}"]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PIP_")},
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": (tmp_path / "main").as_uri(),
        "PIP_EXTRA_INDEX_URL": (tmp_path / "cpu").as_uri(),
    }
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert result.returncode == 0, result.stderr
    (taken,) = json.loads(report.read_text())["install"]
    assert taken["metadata"]["version"] == f"{pin}+cpu"
