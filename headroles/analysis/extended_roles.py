"""The extended roles of a model, from texts and weights.

A role that cannot be measured on a model (its tokenizer knows no names, say) has the reason in
place of its scores.

>>> scores = measure_extended(bridge, tokenizer, probe, seed=0)  # doctest: +SKIP
>>> scores["name_mover"].mean.max()  # doctest: +SKIP
tensor(3.1)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerBase

from headroles.analysis.attention_roles import by_attention, count_texts
from headroles.analysis.direct import Direct
from headroles.analysis.direct_effect_roles import (
    MOST_REPEATS,
    PROMPTS,
    measure_copies,
    measure_ioi,
    measure_successor,
)
from headroles.analysis.measure import ProbeTexts, Progress
from headroles.analysis.retrieval import N_TEXTS, measure_retrieval
from headroles.analysis.setting import Setting, measured_or_why, without_gaps
from headroles.roles import EXTENDED_ROLES
from headroles.types import RoleScores


def count_extended(bridge: TransformerBridge, probe: ProbeTexts) -> int:
    """How many texts the extended roles run, controls included; a head that is knocked out at the
    end of a few prompts counts as one more."""
    texts = count_texts() + N_TEXTS + PROMPTS + min(MOST_REPEATS, len(probe.repeats))
    return 2 * (texts + bridge.cfg.n_layers * bridge.cfg.n_heads)


def measure_extended(
    bridge: TransformerBridge,
    tokenizer: PreTrainedTokenizerBase,
    probe: ProbeTexts,
    *,
    seed: int,
    progress: Progress | None = None,
    keys: Collection[str] | None = None,
) -> dict[str, RoleScores | str]:
    """Measure every extended role.

    Args:
        bridge: the model.
        tokenizer: its tokenizer.
        probe: the texts of the basic roles; the repeats are used again.
        seed: draws prompts, random tokens and made-up orders.
        progress: told after every batch.
        keys: only the roles of these keys, with the numbers that they have among all; None for all.

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
    wanted = [key for key in EXTENDED_ROLES if keys is None or key in keys]
    attention = [key for key in wanted if EXTENDED_ROLES[key].from_attention]
    measured = _each(attention, measured_or_why(lambda: by_attention(setting, wanted)))
    for some, measure in _APART.items():
        if not measured.keys() >= set(some) & set(wanted):
            measured |= _each(some, measured_or_why(lambda measure=measure: measure(setting)))
    written = {some: measure for some, measure in _WRITTEN.items() if set(some) & set(wanted)}
    direct = measured_or_why(lambda: Direct(bridge)) if written else ""
    for some, measure in written.items():
        part = direct
        if not isinstance(direct, str):
            part = measured_or_why(lambda measure=measure: measure(setting, direct))
        measured |= _each(some, part)
    return {key: without_gaps(measured[key]) for key in wanted}


_APART = {("retrieval",): lambda *of: measure_retrieval(*of)}
"""{roles: what measures them together, from the setting}."""
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
