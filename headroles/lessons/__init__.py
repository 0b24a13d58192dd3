"""Lessons: what a student predicts before a model answers, how it is marked, what a class did."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "answers",
        "checking",
        "class_question",
        "classroom",
        "faults",
        "handed_in",
        "lesson",
        "lines",
        "made_class",
        "marking",
        "measures",
        "naming",
        "places",
        "reading",
        "remaking",
        "schema",
        "worksheet",
    ],
    submod_attrs={
        "answers": ["Answer", "OptionAnswer", "answer"],
        "lesson": ["Lesson", "Question", "Step"],
        "marking": ["Mark", "mark"],
        "measures": ["MEASURES", "Measure"],
        "reading": ["Lessons", "read_all", "read_lesson"],
        "worksheet": ["Entry", "Prediction", "Worksheet"],
    },
)
