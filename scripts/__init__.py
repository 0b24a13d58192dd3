"""Thin command lines over the package; run each as ``python -m scripts.NAME``."""
