"""The extended roles of a model, from texts and weights.

A role that cannot be measured on a model (its tokenizer knows no names, say) has the reason in
place of its scores.

>>> scores = measure_extended(bridge, tokenizer, probe, seed=0)  # doctest: +SKIP
>>> scores["name_mover"].mean.max()  # doctest: +SKIP
tensor(3.1)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerBase

from headroles.analysis.attention_roles import by_attention
from headroles.analysis.direct import Direct
from headroles.analysis.direct_effect_roles import (
    MOST_REPEATS,
    PROMPTS,
    measure_copies,
    measure_ioi,
    measure_successor,
)
from headroles.analysis.measure import ProbeTexts, Progress
from headroles.analysis.setting import Setting, measured_or_why, without_gaps
from headroles.roles import EXTENDED_ROLES
from headroles.texts import sentences
from headroles.types import RoleScores


def count_extended(bridge: TransformerBridge, probe: ProbeTexts) -> int:
    """How many texts the extended roles run, controls included; a head that is knocked out at the
    end of a few prompts counts as one more."""
    texts = len(sentences.SENTENCES) // 2 + PROMPTS + min(MOST_REPEATS, len(probe.repeats))
    return 2 * (texts + bridge.cfg.n_layers * bridge.cfg.n_heads)


def measure_extended(
    bridge: TransformerBridge,
    tokenizer: PreTrainedTokenizerBase,
    probe: ProbeTexts,
    *,
    seed: int,
    progress: Progress | None = None,
) -> dict[str, RoleScores | str]:
    """Measure every extended role.

    Args:
        bridge: the model.
        tokenizer: its tokenizer.
        probe: the texts of the basic roles; the repeats are used again.
        seed: draws prompts, random tokens and made-up orders.
        progress: told after every batch.

    Returns:
        {role key: scores, or why there are none as a sentence} in the order of the registry.
    """
    total = count_extended(bridge, probe)
    done = 0

    def advance(phase: str, count: int) -> None:
        nonlocal done
        done += count
        if progress:
            progress(phase, done, total)

    setting = Setting(bridge, tokenizer, probe, seed, advance)
    attention = [key for key, role in EXTENDED_ROLES.items() if role.from_attention]
    measured = _each(attention, measured_or_why(lambda: by_attention(setting)))
    direct = measured_or_why(lambda: Direct(bridge))
    for keys, measure in _WRITTEN.items():
        part = direct
        if not isinstance(direct, str):
            part = measured_or_why(lambda measure=measure: measure(setting, direct))
        measured |= _each(keys, part)
    return {key: without_gaps(measured[key]) for key in EXTENDED_ROLES}


_WRITTEN = {
    ("s_inhibition", "name_mover"): lambda *of: measure_ioi(*of),
    ("copy_suppression",): lambda *of: measure_copies(*of),
    ("successor",): lambda *of: measure_successor(*of),
}
"""{roles: what measures them together, from the setting and the model's direct effects}."""


def _each(
    keys: Iterable[str], part: Mapping[str, RoleScores | str] | RoleScores | str
) -> dict[str, RoleScores | str]:
    """{role key: its own of a part's scores, or the reason why the part has none}."""
    return {key: part[key] if isinstance(part, Mapping) else part for key in keys}
