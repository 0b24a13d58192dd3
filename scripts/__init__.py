"""Thin command lines over the package; run each as ``python -m scripts.NAME``."""

import os
import sys

try:
    import lazy_loader
    import tqdm
except ModuleNotFoundError as error:  # most often another Python than the project's
    print(f"{error}. Install what is missing: pip install -r requirements.txt", file=sys.stderr)
    sys.exit(2)
del lazy_loader, tqdm

# Models in their folders or in the local cache need no telemetry and no chatter.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
