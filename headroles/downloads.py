"""What an interrupted download leaves in the Hugging Face cache, and how it is taken away.

``huggingface_hub`` downloads a file of the etag E into ``blobs/E.<random>.incomplete``, renames it
to ``blobs/E`` when it is whole, and holds the lock ``.locks/<model>/E.lock`` meanwhile. A process
that is killed in between poisons nothing, but its part stays for good: nobody takes it up again.
"""

from __future__ import annotations

from pathlib import Path

from headroles import hub
from headroles.errors import UnknownModelError
from headroles.models import resolve_source


def sweep_unfinished(name: str) -> int:
    """Remove the parts of a model's files that no process is downloading any more.

    Args:
        name: a catalogue key or Hub id; for a folder there is nothing to do.

    Returns:
        How many files were removed.
    """
    try:
        source = resolve_source(name)
    except UnknownModelError:
        return 0
    if Path(source).is_dir():
        return 0
    return hub.sweep(source)
