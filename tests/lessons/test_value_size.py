"""What a head takes over from a token, and what it does not see: against plain hooks."""

from __future__ import annotations

import pytest
import torch

from headroles import texts
from headroles.lessons import measuring, places
from headroles.lessons.lesson import Case
from headroles.models import LoadedModel, load_model

PROMPT = "The king lived in a big castle."


@pytest.fixture(scope="module")
def demo() -> LoadedModel:
    return load_model("demo")


def written(loaded: LoadedModel, layer: int, head: int) -> list[float]:
    """[key] the length of what a head would write of each token, from the layer's own modules:
    GPT-NeoX keeps q, k and v of a head side by side."""
    attention = loaded.model.gpt_neox.layers[layer].attention
    kept = []
    hook = attention.query_key_value.register_forward_hook(lambda *hooked: kept.append(hooked[2]))
    ids = texts.encode(loaded.tokenizer, PROMPT).token_ids
    with torch.no_grad():
        loaded.model(torch.tensor([ids]))
    hook.remove()
    width = kept[0].shape[-1] // 3 // loaded.num_heads
    value = kept[0][0].unflatten(-1, (loaded.num_heads, 3, width))[:, head, 2]  # [key d_head]
    columns = attention.dense.weight.detach()[:, head * width : (head + 1) * width]
    return (value @ columns.T).norm(dim=-1).tolist()


@pytest.mark.parametrize("key", [0, "castle"])
def test_the_size_of_a_value_is_what_the_layer_would_write_of_it(
    key: str | int, demo: LoadedModel
) -> None:
    at = places.head_of("positional", demo)
    lengths = written(demo, *at)
    tokens = texts.encode(demo.tokenizer, PROMPT).tokens
    place = places.position_of(tokens, key)
    found = measuring.value_size(demo, Case(prompt=PROMPT, head=at.label, key=key))
    assert found == pytest.approx(lengths[place] * (len(lengths) - 1) / sum(lengths[1:]), rel=1e-5)


def test_there_is_no_attention_on_a_later_token(demo: LoadedModel) -> None:
    case = Case(prompt=PROMPT, head="diffuse", query="king", key="castle")
    assert measuring.attention(demo, case) == 0
    assert measuring.attention(demo, case.model_copy(update={"query": "castle", "key": "king"})) > 0
