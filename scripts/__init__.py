"""Thin command lines over the package; run each as ``python -m scripts.NAME``."""

import os

# Models in their folders or in the local cache need no telemetry and no chatter.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
