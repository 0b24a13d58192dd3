"""A page whose model has planted attention, and results that no test leaves behind."""

from __future__ import annotations

import pytest

from tests.pages.planted import planted_attention, planted_entry


@pytest.fixture(autouse=True)
def _no_leftovers():
    """Kept results live as long as the process: start and end with none."""
    from headroles.ui.app import caches

    caches.clear()
    yield
    caches.clear()


@pytest.fixture(autouse=True)
def _all_at_once(monkeypatch):
    """No browser ticks here, so a run of a page does all of its work, and none needs a click."""
    from headroles.ui.app import long_work

    monkeypatch.setattr(long_work, "MOMENT", 300.0)
    monkeypatch.setattr(long_work, "LIGHT", float("inf"))


@pytest.fixture
def planted(monkeypatch, tmp_path):
    """The path of the categories file, with planted heads in the file and in the model."""
    import torch

    from headroles import paths
    from headroles.capture import attention
    from headroles.store import categories

    real = attention.collect

    def collect(loaded, encoding):
        shape = (loaded.num_layers, loaded.num_heads)
        planted = planted_attention(encoding.token_ids, *shape).to(torch.float32)
        # The model's own outputs belong to its own attention.
        return real(loaded, encoding)._replace(attention=planted, output_change=None)

    path = tmp_path / "head_categories.json"
    monkeypatch.setattr(attention, "collect", collect)
    monkeypatch.setattr(paths, "CATEGORIES", path)
    categories.write_entry(planted_entry(4, 8), path)
    return path
