"""Texts on which single roles are measured: words of several tokens, brackets, categories, needles.

>>> len(LONG_WORDS), sorted(MARKED)
(24, ['brackets', 'quotation marks'])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LONG_WORDS = (
    "The chrysanthemums withered behind the dilapidated greenhouse.",
    "Ottilie Brandtmeier photographed the hippopotamus in Mozambique.",
    "A loquacious ventriloquist entertained the dumbfounded archaeologists.",
    "Tchaikovsky and Shostakovich composed unforgettable symphonies.",
    "The apothecary measured quinine, belladonna and powdered rhubarb.",
    "Xanthippe quarrelled with the philosophers of Peloponnesus.",
    "Their kaleidoscope shimmered like a thousand dragonflies.",
    "Mitochondria and chloroplasts descend from swallowed bacteria.",
    "Grandfather's wheelbarrow squeaked across the cobblestones.",
    "Kwame Asantewaa unscrewed the rusty thermostat.",
    "An armadillo burrowed underneath the bougainvillea.",
    "The pterodactyl skeleton was reassembled in Ljubljana.",
    "Hypothermia threatened the shipwrecked mountaineers.",
    "Zbigniew mispronounced the Welsh placename Llangollen.",
    "The trapeze artists somersaulted above the sawdust.",
    "Bioluminescent jellyfish drifted beneath the icebreaker.",
    "Nefertiti's sarcophagus was meticulously restored.",
    "The seismograph registered tremors near Reykjavik.",
    "Blacksmiths hammered horseshoes and candlesticks.",
    "Siobhan embroidered rhododendrons onto the tablecloth.",
    "The troubadour serenaded Guinevere with a mandolin.",
    "Pumpernickel, sauerkraut and gherkins were overpriced.",
    "A clairvoyant foretold the catastrophic avalanche.",
    "Marmalade trickled down the embarrassed butler's waistcoat.",
)
"""Sentences with words that most vocabularies split into several tokens."""

MARKED = {
    "brackets": (
        "The old bridge (it was built by monks) fell into the river (nobody was hurt).",
        "My aunt (the one with the parrot) sold her house (the one near the sea) last year.",
        "He counted the coins (nine of them were false) and put them (slowly) into his pocket.",
        "The recipe asks for milk (warm, but not hot (a finger must bear it)) and some flour.",
        "Our train (which was late again (as it is each winter)) stopped in front of the tunnel.",
        "We saw two birds [a hawk and a crow] over the field [it was already dark].",
        "The letter [found in the attic] names three people [all of them sailors] and a ship.",
        "The king (so the story goes [but who believes it]) never slept (not even at night).",
        "x = (a + b * (c - d)) / (e + f)\nprint(round(x, 2))",
        "def area(width, height):\n    return max(width, 0) * max(height, 0)",
        "names = [first[0], last[1], (town, country)]\nshow(names)",
        'if (ready and not (busy or (late and cold))):\n    start(engine["left"])',
    ),
    "quotation marks": (
        "“Where did you put the lamp?” asked Anna. “It was on the shelf,” she said.",
        "“I have seen the sea,” said the boy, “and I want to go back.”",
        "She called him “the last of the gentlemen” and herself “a simple farmer” all her life.",
        "“Nobody,” said the guard, “leaves this room before the bell has rung twice.”",
        "The sign said “closed for the winter” and, below it, “please use the other door”.",
        "“Come in!” called the baker. “The bread is still warm, and so is the soup.”",
        'The teacher wrote "rain" on the board, then "snow", then "wind and fog".',
        '"We should go home," said Tom. "It is late, and the road is long."',
        'He read "The Lonely Tower" and "A Garden in the North" within one week.',
        '"Yes," she answered, "but only if you bring the money tomorrow morning."',
        'On the box stood "handle with care" and on its lid "this side up, please".',
        '"A horse!" shouted the girl. "There is a white horse in the kitchen!"',
    ),
}
"""{kind of mark: texts with two pairs or more each}."""

_ABOUT_CATEGORIES = (
    "{names} has a {colours} {animals}.",
    "On {days} {names} went to {towns}.",
    "The {animals} ate {numbers} apples.",
    "{names} painted the door {colours}.",
    "It took {numbers} days to reach {towns}.",
    "The {colours} {animals} ran away on {days}.",
    "{names} and the {animals} waited in {towns}.",
    "There were {numbers} {colours} boats.",
)
_IN_LISTS = 3
"""Words of each category in a list."""
CATEGORIES_IN_LISTS = 4
CATEGORY_KINDS = ("lists of words", "sentences")


def about_categories(
    words: dict[str, Sequence[str]], *, as_list: bool, rng: np.random.Generator
) -> str:
    """A list or a few sentences with several words of each of several categories, in any order.

    Args:
        words: {category: its words}; sentences need names, colours, animals, days, towns, numbers.
        as_list: whether the words stand in a list, without grammar.
        rng: draws words and their order; no word is used twice.
    """
    drawn = {kind: iter(rng.permutation(list(some)).tolist()) for kind, some in words.items()}
    if as_list:
        kinds = rng.choice(list(words), CATEGORIES_IN_LISTS, replace=False).tolist()
        some = [next(drawn[kind]) for kind in kinds for _ in range(_IN_LISTS)]
        return " ".join(rng.permutation(some).tolist())
    frames = rng.permutation(list(_ABOUT_CATEGORIES))[:5].tolist()

    def filled(frame: str) -> str:
        return frame.format_map(
            {kind: next(drawn[kind]) for kind in words if f"{{{kind}}}" in frame}
        )

    return " ".join(filled(frame) for frame in frames)


@dataclass(frozen=True)
class Needle:
    """A sentence that is hidden among others, and asked for at the end."""

    question: str
    cue: str
    """How the sentence begins, and the answer, too."""
    answer: str
    """What the model is to find; it begins with a space."""

    def hidden(self, haystack: Sequence[str], depth: int) -> str:
        """The sentence behind so many of the others, then the question and the answer."""
        parts = (*haystack[:depth], f"{self.cue}{self.answer}.", *haystack[depth:])
        asked = f"Question: {self.question} Answer: {self.cue}{self.answer}"
        return " ".join((*parts, asked))


NEEDLES = (
    Needle(
        "What is the best thing to do on a rainy day?",
        "The best thing to do on a rainy day is to",
        " bake a lemon cake and watch the old ships",
    ),
    Needle(
        "What did the wizard tell the children to do?",
        "The wizard told the children to",
        " plant three silver spoons under the pear tree",
    ),
    Needle(
        "What is the secret word of the clockmaker?",
        "The secret word of the clockmaker is",
        " purple rabbit seven candle moon",
    ),
    Needle(
        "What is written on the old ring?",
        "On the old ring is written",
        " honey for the bear and salt for the fox",
    ),
    Needle(
        "Where did Rose hide the golden key?",
        "Rose hid the golden key in",
        " a blue teapot behind the cow shed",
    ),
    Needle(
        "Where does the tiger sleep on Fridays?",
        "On Fridays the tiger sleeps on",
        " the kitchen roof of his fat cousin",
    ),
    Needle(
        "What does the soup of the queen need?",
        "The soup of the queen needs",
        " nine carrots, two lemons and a pink fish",
    ),
    Needle(
        "Who came to the party of the frog?",
        "To the party of the frog came",
        " a green horse, two pirates and a baby bear",
    ),
)
"""Two plans, two secrets, two places and two lists that no model can know from elsewhere."""
PLACES = ((4, 1), (4, 3), (8, 4))
"""(other sentences, after how many of them the needle is hidden) of the texts for each needle."""

IN_SENTENCES = ("names", "colours", "animals", "days", "towns", "numbers")
"""The categories that the sentences have places for."""
