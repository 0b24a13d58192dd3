"""Whether what an analysis promises holds in the app: every hint wakes the heads that it names."""

from __future__ import annotations

from headroles import get_active_head_summary
from headroles.capture import capture
from headroles.models import LoadedModel
from headroles.store import ModelEntry
from headroles.types import Head
from headroles.verdicts import judge_heads


def kept_and_broken(loaded: LoadedModel, entry: ModelEntry) -> tuple[set, set]:
    """{(role, head, prompt)} that are active, and that are not, when the app runs the prompt."""
    promises = {
        (key, head, hint.prompt)
        for key, hints in entry.hints.items()
        for hint in hints.prompts
        for head in hint.woken
    }
    kept = set()
    for prompt in {prompt for _, _, prompt in promises}:
        run = capture(loaded, prompt)
        awake = {
            (key, Head(row["layer"], row["head"]))
            for key, rows in get_active_head_summary(run, loaded.key).items()
            for row in rows
            if row["is_active"]
        }
        for key, stored in entry.extended.items():
            if key in entry.hints:
                awake |= {(key, one.head) for one in judge_heads(stored, run) if one.is_active}
        kept |= {promise for promise in promises if promise[2] == prompt and promise[:2] in awake}
    return kept, promises - kept
