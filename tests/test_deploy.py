"""The recipe for servers without a GPU: the wheel it names is the pinned one."""

from __future__ import annotations

import re

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
