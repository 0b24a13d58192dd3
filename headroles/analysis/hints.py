"""A prompt for each listed head on which it does what its role says, found by trying.

Every candidate (:mod:`headroles.texts.hint_prompts`) is run once, and each listed head is judged on
it by the functions that judge it on a page. Of a role's candidates as few are kept as wake every
head that any of them wakes: again and again the one that wakes most of the heads that are left
(greedy set cover; Chvátal 1979), of several a text rather than a row of words, and then the one on
which these heads lie furthest over the threshold. A head that no candidate wakes is stored as such,
so nothing is promised of it.

>>> with_hints(bridge, tokenizer, entry).hints["induction"].prompts[0].prompt  # doctest: +SKIP
'Anna Rose met Peter Oscar in the park. Later Anna Rose gave Peter Oscar'
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import torch
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerBase

from headroles import store
from headroles.analysis.bridge import each_layer, load_bridge
from headroles.analysis.measure import Progress, output_change_of
from headroles.errors import AnalysisError
from headroles.models import known_models, load_tokenizer, model_revision, resolve_source
from headroles.models.sight import cut
from headroles.reference import wakes
from headroles.roles import EXTENDED_ROLES, Role
from headroles.store import Hint, ModelEntry, RoleHints, StoredRole, WokenHead
from headroles.texts import MAX_TOKENS, encode, probe_texts
from headroles.texts.hint_prompts import ROWS, hint_prompts
from headroles.types import Head, PromptRun, Verdict
from headroles.verdicts import PromptScores, judge, judge_heads, score_run

MOST_CELLS = 30_000
"""Rows x length^2 of one batch: the patterns of all layers are kept, 32 MB of SmolLM2."""
LONGER = 1.5
"""How many times as long as a batch's shortest prompt its longest may be."""

Tried = Mapping[str, Mapping[Head, Verdict]]
"""{prompt: {head that it wakes: its verdict}}, the shortest prompts first."""


def candidates(model: str) -> tuple[str, ...]:
    """The prompts that are tried on a model, by its key: those for all roles, then the extended
    roles' own."""
    own = [hint for role in EXTENDED_ROLES.values() for hint in _own(role, model)]
    return tuple(dict.fromkeys((*_for_all(model), *own)))


def _for_all(model: str) -> tuple[str, ...]:
    return hint_prompts(stories=_reads_stories(model))


def _reads_stories(model: str) -> bool:
    known = known_models().get(model)
    return known is not None and known.stories


def _own(role: Role, model: str) -> tuple[str, ...]:
    """What is tried on an extended role's heads only."""
    if role.level != "extended":
        return ()
    return role.story_hints if _reads_stories(model) else role.text_hints


def with_hints(
    bridge: TransformerBridge,
    tokenizer: PreTrainedTokenizerBase,
    entry: ModelEntry,
    *,
    progress: Progress | None = None,
) -> ModelEntry:
    """The entry with prompts that wake its listed heads, in place of those that it had.

    Args:
        bridge: the model.
        tokenizer: its tokenizer.
        entry: its lists and thresholds.
        progress: told after every batch, with the prompts that are done.
    """
    roles = [entry.role(key) for key in entry.categories]
    roles = [role for role in roles if role.listed and role.role.is_scored]
    roles = [role for role in roles if role.role.from_attention]
    for_all = _for_all(entry.model_name)
    tried: dict[str, dict[str, dict[Head, Verdict]]] = {role.role.key: {} for role in roles}
    for run in _runs(bridge, tokenizer, entry.model_name, progress):
        scores = score_run(run)
        for role in roles:
            if run.prompt not in (*for_all, *_own(role.role, entry.model_name)):
                continue
            verdicts = _verdicts(role, run, scores)
            woken = {
                one.head: one
                for one in verdicts
                if one.is_active and wakes(_reached(one), one.threshold)
            }
            tried[role.role.key][run.prompt] = woken
    hints = {role.role.key: fewest(role.listed, tried[role.role.key]) for role in roles}
    return ModelEntry.model_validate({**dict(entry), "hints": hints})


def renewed(entry: ModelEntry, model: str, *, progress: Progress | None = None) -> ModelEntry:
    """The same for an entry of the file; nothing else is measured.

    Args:
        entry: what the file says of the model.
        model: the model's key, folder or Hub id.
        progress: told after every batch.

    Raises:
        AnalysisError: if the entry was made elsewhere.
        OtherWeightsError: if it was measured on other weights.
        HeadrolesError: if the model cannot be loaded.
    """
    if entry.made_elsewhere:
        raise AnalysisError(
            f"The scores of {entry.model_name} were made elsewhere: nothing can be added to them.",
            hint="Analyse the whole model, without --only-hints.",
            value=entry.model_name,
        )
    source = resolve_source(model)
    store.contents.check_weights(entry, source, model_revision(source))
    return with_hints(load_bridge(model), load_tokenizer(source), entry, progress=progress)


def fewest(listed: Sequence[Head], tried: Tried) -> RoleHints:
    """As few prompts as wake every listed head that any prompt wakes, and the heads left over."""
    left, chosen = {head for woken in tried.values() for head in woken}, []
    in_vain = [tuple(head) for head in listed if head not in left]
    while left:
        prompt = max(tried, key=lambda prompt: _worth(prompt, tried[prompt], left))
        woken = tried[prompt]
        left -= woken.keys()
        chosen.append(
            Hint(prompt=prompt, heads=[_woken(woken[head]) for head in listed if head in woken])
        )
    return RoleHints(tried=len(tried), prompts=chosen, in_vain=in_vain)


def _worth(
    prompt: str, woken: Mapping[Head, Verdict], left: Collection[Head]
) -> tuple[int, bool, float]:
    """How many of the heads that are left it wakes, whether it is a text, and by what margin."""
    margins = [_margin(verdict) for head, verdict in woken.items() if head in left]
    return len(margins), prompt not in ROWS, sum(margins, 0.0)


def _margin(verdict: Verdict) -> float:
    return verdict.activation.value - verdict.threshold


def _reached(verdict: Verdict) -> float:
    """What is stored of an activation."""
    return round(verdict.activation.value, 4)


def _woken(verdict: Verdict) -> WokenHead:
    layer, head = verdict.head
    return WokenHead(layer=layer, head=head, activation=_reached(verdict))


def _runs(
    bridge: TransformerBridge,
    tokenizer: PreTrainedTokenizerBase,
    model: str,
    progress: Progress | None,
) -> Iterator[PromptRun]:
    """Every candidate that the model can read whole, run once; the shortest first."""
    most = min(MAX_TOKENS, bridge.cfg.n_ctx)
    prompts = candidates(model)
    encoded = [(prompt, encode(tokenizer, prompt, max_tokens=most)) for prompt in prompts]
    encoded = [(prompt, encoding) for prompt, encoding in encoded if not encoding.truncated]
    texts = probe_texts.pack([encoding.token_ids for _, encoding in encoded])
    change, done = output_change_of(bridge, len(encoded)), 0
    for rows in probe_texts.batches(texts, max_cells=MOST_CELLS, longer=LONGER):
        patterns: list[Tensor] = []
        sight: list[Tensor | None] = []
        width = int(texts.lengths[rows].max())
        each_layer(
            bridge,
            texts.token_ids[rows, :width],
            lambda layer, pattern, visible, patterns=patterns, sight=sight: (
                patterns.append(pattern.float().clone()),
                sight.append(visible),
            ),
            change and change.of(rows, texts.lengths[rows]),
        )
        attention = torch.stack(patterns, dim=1)  # [row layer head query key]
        for place, row in enumerate(rows.tolist()):
            prompt, encoding = encoded[row]
            length = len(encoding.token_ids)
            yield PromptRun(
                model,
                prompt,
                encoding,
                attention[place, ..., :length, :length],
                (),
                output_change=change and change.values[row],
                sight=cut(sight, length),
            )
        done += len(rows)
        if progress:
            progress("trying prompts", done, len(encoded))


def _verdicts(stored: StoredRole, run: PromptRun, scores: PromptScores) -> list[Verdict]:
    """The listed heads of a role on a prompt, as a page judges them."""
    if stored.role.level == "basic":
        threshold = stored.category.threshold
        return [judge(head, stored.role.key, scores, threshold) for head in stored.listed]
    return [
        verdict for verdict in judge_heads(stored, run, scores) if verdict.head in stored.listed
    ]
