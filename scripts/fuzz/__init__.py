"""Thousands of bad inputs, each of which must end in a result or in one of our sentences.

    python -m scripts.fuzz
    python -m scripts.fuzz --seed 7 --inputs 2000 --only prompts,links
    python -m scripts.fuzz --seed 7 --only links --at 123    # that one input again, in full

Every module of ``kinds/`` is a kind of input. A new one needs no registration: it offers
``case(rng) -> Case`` and, if its inputs cost more or less than others, ``SHARE``.
"""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("PIP_NO_INDEX", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
