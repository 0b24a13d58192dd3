"""A small lesson with a question of each kind, and a made-up class that took it."""

from __future__ import annotations

from functools import cache

from headroles import models
from headroles.lessons import made_class, reading
from headroles.lessons.made_class import Made
from headroles.lessons.reading import Lessons

KEY = "own"
TEXT = """
title = "A lesson"
goal = "You can tell."
models = ["demo"]

[[steps]]
kind = "cells"
key = "where"
title = "Where"
question = "Where will {head} look?"
prompt = "The cat sat on the mat. The cat"
head = "induction"
queries = ["cat", "mat"]
without_first = true
explain = "There."

[[steps]]
kind = "active"
key = "which"
title = "Which"
question = "Which?"
prompt = "Every morning we open a small shop near the river."
options = ["induction", "previous_token", "positional"]
explain = "These."

[[steps]]
kind = "largest"
key = "most"
title = "Most"
question = "Which prompt gives {head} more to do?"
measure = "activation"
case = { head = "induction", role = "induction" }
options = [
  { label = "twice", prompt = "The cat sat on the mat. The cat sat on the mat." },
  { label = "once", prompt = "Every day we open a shop.", feedback = "{model}: no copy." },
]
explain = "Only a copy."

[[steps]]
kind = "number"
key = "much"
title = "Much"
question = "How much?"
measure = "chance"
case = { role = "induction", prompt = "The cat sat on the mat. The cat sat on the mat." }
low = 0
high = 1
step = 0.05
within = 0.1
explain = "So much."

[[steps]]
kind = "wake"
key = "wake"
title = "Wake"
question = "Wake {head}."
role = "induction"
start = "Every morning we open a small shop near the river."
hints = ["Twice.", "Really."]
solution = "The cat sat on the mat. The cat sat on the mat."
explain = "So."
"""
STEPS = ("where", "which", "most", "much", "wake")


@cache
def lessons() -> Lessons:
    """The lesson, as if it were the only one here."""
    return Lessons({KEY: reading.parse(TEXT.encode(), name=f"{KEY}.toml")}, {})


@cache
def loaded() -> models.LoadedModel:
    """The bundled model."""
    return models.load_model("demo")


@cache
def made() -> Made:
    """The files of thirty students."""
    return made_class.make(lessons(), loaded(), seed=0)
