"""The sentences that stand for ordinary text: probe texts of the analysis, and what a mean is over.

>>> len(SENTENCES)
32
"""

from __future__ import annotations

SENTENCES = (
    "The old man walked slowly along the river with his dog.",
    "Anna put the small key in the box under her bed.",
    "On Monday we went to the market and bought bread, cheese and honey.",
    "The king lived in a castle on the hill, far away from the village.",
    "When the rain stopped, the children ran out into the garden.",
    "My brother wants to be a doctor because he likes to help people.",
    "A black cat slept on the chair near the open window.",
    "Nobody knew where the train was going that night.",
    "She opened the letter, read it twice and smiled.",
    "There is a red boat on the lake and a blue one near the bridge.",
    "“Where is my hat?” asked the farmer, but no one answered.",
    "In winter the days are short and the nights are long and cold.",
    "The teacher gave every student a pencil and a sheet of paper.",
    "If you mix yellow and blue you get green.",
    "Peter has three sisters, and Lucy has two brothers.",
    "After dinner they sat by the fire and told stories about the sea.",
    "The baker sold the last cake to a woman in a long gray coat.",
    "A small bird sang in the tree while the fox waited below.",
    "He could not find his shoes, so he stayed at home.",
    "The museum is closed today, but the library is open until six.",
    "First wash the apples, then cut them and put them in a bowl.",
    "The soldier was tired and hungry after the long way home.",
    "Some people like tea in the morning; others drink only water.",
    "Rain fell on the roof all night and the street was full of water.",
    "The little girl gave her doll to a friend who was sick.",
    "Every summer my uncle paints his house white.",
    "The doctor said that the boy should rest and drink warm milk.",
    "Two men carried a heavy table up the stairs of the hotel.",
    "We saw the moon, the stars and a very bright light in the sky.",
    "The thief hid the golden ring under a stone in the forest.",
    "Maria wrote a song about the city in which she was born.",
    "It was late, the shop was empty, and the lamp was still on.",
)
"""Varied sentences written for this project; none of them is training text of the bundled model."""

HELD_OUT_FILE = "held_out.txt"
"""In a model's folder: passages that it can read and was not trained on, one per line, UTF-8."""
HELD_OUT_TEXTS, HELD_OUT_TOKENS = 60, 48
"""The most lines of it that are used, and the most tokens of each, the start token included."""
