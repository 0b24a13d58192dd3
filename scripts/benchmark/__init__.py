"""Speed and memory as ratios of two things measured in one run, in turn, several times.

    python -m scripts.benchmark
    python -m scripts.benchmark --only prompt_vs_forward --json

Absolute times depend on the machine and the hour; a ratio of two neighbours in time does not. Every
ratio is the median over repeats, with its smallest and largest. Nothing here passes or fails.
"""
