"""Two small lessons for tests of the page, whatever lies in ``data/lessons/``."""

from __future__ import annotations

FIRST = """
title = "First things"
goal = "You can say what a head is."
order = 1
models = ["demo"]

[[steps]]
kind = "read"
key = "idea"
title = "The idea"
text = "A **head** looks back."

[[steps]]
kind = "largest"
key = "which"
title = "Which one?"
question = "On which prompt has {head} more to do?"
measure = "activation"
case = { head = "induction", role = "induction" }
options = [
  { label = "twice", prompt = "The cat sat on the mat. The cat sat", feedback = "A copy." },
  { label = "once", prompt = "The cat sat on the mat and looked at me" },
]
explain = "Only a copy has a follower."
hints = ["Count the words.", "Which of them come twice?"]

[[steps]]
kind = "number"
key = "level"
title = "How large?"
question = "How large is chance?"
measure = "chance"
case = { role = "previous_token", prompt = "The cat sat on the mat." }
low = 0
high = 1
step = 0.05
within = 0.1
explain = "One over the tokens so far."

[[steps]]
kind = "wake"
key = "wake"
title = "Make it wake"
question = "Wake it."
role = "induction"
start = "Once upon a time"
solution = "The cat sat on the mat. The cat sat on the mat."
explain = "A copy is enough."
hints = ["It needs something that comes twice."]
"""
SECOND = """
title = "To read only"
goal = "You have read it."
order = 2
models = ["smollm2-135m-instruct"]

[[steps]]
kind = "read"
key = "text"
title = "A text"
text = "Nothing is asked."
[[steps]]
kind = "read"
key = "seen"
title = "A head that no model lists"
shows = "pattern"
prompt = "The cat"
head = "induction 9"
"""
