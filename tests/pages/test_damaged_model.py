"""A model with damaged weights on the pages: a sentence with the place, and never quiet heads."""

from __future__ import annotations

import math
import shutil

import pytest
from safetensors.torch import load_file, save_file

from headroles import paths
from headroles.paths import DEMO_MODEL, ROOT
from tests.facts import says
from tests.pages.test_admin import open_page, texts

LIST = '[[model]]\nkey = "damaged"\nfolder = "damaged"\nname = "A damaged model"\n'


@pytest.fixture
def damaged(tmp_path, monkeypatch):
    """A server that offers the bundled model with one number of layer 2 that is none."""
    shutil.copytree(DEMO_MODEL, tmp_path / "damaged")
    shutil.copy(ROOT / "data" / "head_categories.json", tmp_path)
    weights = load_file(tmp_path / "damaged" / "model.safetensors")
    (name,) = (name for name in weights if name.endswith("layers.2.mlp.dense_4h_to_h.bias"))
    weights[name] = weights[name].clone()
    weights[name][0] = math.nan
    save_file(weights, tmp_path / "damaged" / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "models.toml").write_text(LIST)
    monkeypatch.setattr(paths, "CATEGORIES", tmp_path / "head_categories.json")


@pytest.mark.parametrize(
    "page", ["your_prompt", "head_closeup", "knockout_lab", "detector_lab", "answer"]
)
def test_a_page_says_where_it_begins(damaged, page: str) -> None:
    app = open_page(page=f"pages/{page}.py")
    app.sidebar.selectbox[0].set_value("damaged").run()
    assert not app.exception
    said = " ".join([texts(app), *(error.value for error in app.error)])
    assert says(said, "not numbers", "layer 2", "mlp.dense_4h_to_h")
