"""A seeded grammar of simple English: stories, lists, facts, and many kinds of repetition.

The bundled model sees no other text. Every passage is drawn from hand-written templates
(:mod:`headroles.training.templates`) and word lists (:mod:`headroles.training.lexicon`). So the
text is ours, has no real people in it, and is the same for the same seed on every machine.

The mixture is chosen for the attention heads it asks for. Recurring names and things want a
head that finds earlier copies; repeated sentences, refrains and noun phrases that return with
their adjectives want induction; lists that say "again" after a word seen before want a
duplicate-token head; days, numbers and facts want none of these, so that a matching head has to
keep still.

    python -c "from headroles.training.english import *; print(StoryGrammar(0).passage())"
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from headroles.training.lexicon import LEXICON, PAIRS
from headroles.training.templates import (
    ANIMAL_DEEDS,
    CODAS,
    DESCRIPTIONS,
    ENDINGS,
    EVENTS,
    FACTS,
    GIVING,
    GIVING_AFTER,
    HUMAN_DEEDS,
    ONSETS,
    OPENINGS,
    PASSAGE_MIX,
    PLACED,
    SEPARATORS,
    SONG_LINES,
    TITLES,
    VOWELS,
)

SLOT = re.compile(r"\{(?P<kind>[\w.+]+)(?:#(?P<tag>\w+))?(?:\|(?P<form>\w+))?\}")


@dataclass(frozen=True)
class Character:
    """Someone a story is about: how the text refers to them, and what they are able to do."""

    ref: str  # "the cat", "Mary"
    pronoun: str  # "he", "she" or "it"
    human: bool

    @property
    def call(self) -> str:
        """The form used when spoken to: the reference without its article."""
        return self.ref.removeprefix("the ")

    @property
    def noun(self) -> str:
        """A noun phrase that introduces the character: "cat", "girl named Mary"."""
        if self.ref.startswith("the "):
            return self.call
        return f"{'boy' if self.pronoun == 'he' else 'girl'} named {self.ref}"


@dataclass
class Scene:
    """What one passage has fixed so far: its characters and the words behind tagged slots."""

    cast: dict[str, Character] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    def used(self, kind: str) -> set[str]:
        """Words already behind another tag of this kind."""
        return {word for slot, word in self.words.items() if slot.startswith(kind + "#")}


def with_article(phrase: str) -> str:
    """``"apple" -> "an apple"``, by the first letter alone."""
    return ("an " if phrase[0].lower() in "aeiou" else "a ") + phrase


def capitalised(phrase: str) -> str:
    """Upper-case the first letter and leave the rest as it is."""
    return phrase[:1].upper() + phrase[1:]


FORMS: dict[str | None, Callable[[str], str]] = {
    None: str,
    "an": with_article,
    "cap": capitalised,
}


class StoryGrammar:
    """An endless, seeded source of passages. The n-th passage depends on the seed and n alone."""

    def __init__(self, seed: int, *, invented_words: bool = True) -> None:
        """``invented_words=False`` leaves made-up names out, for training the tokenizer."""
        self._random = random.Random(seed)
        self._invented_words = invented_words
        self._kinds = tuple(kind for kind, _ in PASSAGE_MIX)
        self._weights = tuple(weight for _, weight in PASSAGE_MIX)

    def passage(self) -> str:
        """Draw one passage of any kind: one to about twenty sentences."""
        (kind,) = self._random.choices(self._kinds, self._weights)
        return getattr(self, kind)()

    def passages(self, count: int) -> Iterator[str]:
        """Draw ``count`` passages."""
        return (self.passage() for _ in range(count))

    # -- drawing ---------------------------------------------------------------------------------

    def _skewed(self, items: Sequence[str], power: float = 1.4) -> str:
        """Draw one item; ``power > 1`` favours the front of the list, as word frequency does."""
        return items[int(self._random.random() ** power * len(items))]

    def _choose(self, items: Sequence[str]) -> str:
        return self._random.choice(items)

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _between(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def _invented(self) -> str:
        """A made-up name such as "Drasley": several tokens that mean nothing together."""
        if not self._invented_words:
            return self._choose(LEXICON["name"])
        middle = self._choose(ONSETS) + self._choose(VOWELS) if self._chance(0.4) else ""
        word = self._choose(ONSETS) + self._choose(VOWELS) + middle + self._choose(CODAS)
        return capitalised(word)

    def _character(self) -> Character:
        draw = self._random.random()
        if draw < 0.45:
            name = self._skewed(LEXICON["name"], 1.2)
            return Character(name, "he" if name in LEXICON["boy"] else "she", human=True)
        if draw < 0.5:
            return Character(self._invented(), self._choose(("he", "she")), human=True)
        if draw < 0.7:
            role = self._skewed(LEXICON["person"])
            return Character(f"the {role}", self._choose(("he", "she")), human=True)
        return Character(f"the {self._skewed(LEXICON['animal'])}", "it", human=False)

    def _scene(self) -> Scene:
        """A scene with two different characters A and B, a thing T, a place P, names N and M."""
        first = second = self._character()
        while second.ref == first.ref:
            second = self._character()
        name, other = self._random.sample(LEXICON["name"], 2)
        words = {
            "T": self._skewed(LEXICON["thing"]),
            "T.adj": self._skewed(LEXICON["adjective"]),
            "P": self._skewed(LEXICON["place"]),
            "N": name,
            "M": other,
            "Z": self._invented(),
            "Mr": self._choose(TITLES),
        }
        return Scene({"A": first, "B": second}, words)

    # -- filling templates -----------------------------------------------------------------------

    def fill(self, template: str, scene: Scene) -> str:
        """Fill every ``{kind#tag|form}`` of a template.

        ``kind`` is a word of the scene (``T``), a character's attribute (``A.ref``, ``A.deed``), a
        word list (``animal``), a side of a pair (``capital.left``) or ``placed``. Slots with the
        same kind and tag get the same word, other tags of that kind get other words. ``form`` adds
        an article or a capital.
        """
        return SLOT.sub(lambda match: FORMS[match["form"]](self._word(match, scene)), template)

    def _word(self, match: re.Match[str], scene: Scene) -> str:
        kind, tag = match["kind"], match["tag"]
        slot = f"{kind}#{tag}" if tag else kind
        if slot in scene.words:
            return scene.words[slot]
        drawn = self._draw(kind, scene)
        if tag is None:
            return drawn[kind]
        for _ in range(8):  # another word than the other tags of this kind, if there is one
            if drawn[kind] not in scene.used(kind):
                break
            drawn = self._draw(kind, scene)
        scene.words.update({f"{key}#{tag}": word for key, word in drawn.items()})
        return drawn[kind]

    def _draw(self, kind: str, scene: Scene) -> dict[str, str]:
        """Draw a word of a kind, with the words that are fixed by it (a pair's other side)."""
        if kind == "placed":
            return {kind: self.fill(self._choose(PLACED), scene)}
        base, _, side = kind.partition(".")
        if base in scene.cast:
            return {kind: self._about(scene.cast[base], side, scene)}
        if side:
            left, right = self._random.choice(PAIRS[base])
            return {f"{base}.left": left, f"{base}.right": right}
        words = LEXICON[base.removesuffix("+1")]
        if kind in ("day", "month"):
            index = self._random.randrange(len(words))
            return {kind: words[index], f"{kind}+1": words[(index + 1) % len(words)]}
        return {kind: self._skewed(words)}

    def _about(self, character: Character, what: str, scene: Scene) -> str:
        if what == "deed":
            deeds = HUMAN_DEEDS if character.human else ANIMAL_DEEDS
            return self.fill(self._skewed(deeds, 1.1), scene)
        if what == "he":
            return character.pronoun
        return getattr(character, what or "ref")

    def _sentence(self) -> str:
        """One short sentence about a character."""
        scene = self._scene()
        return self.fill(self._choose(("{A|cap} {A.deed}.",) * 3 + EVENTS[11:22]), scene)

    # -- kinds of passage ------------------------------------------------------------------------

    def story(self) -> str:
        """Three to twelve sentences about two characters, a thing and a place."""
        scene = self._scene()
        lines = [self.fill(self._choose(OPENINGS), scene)]
        for _ in range(self._between(2, 10)):
            lines.append(self.fill(self._choose(EVENTS), scene))
            if self._chance(0.15):  # a new thing or place comes into the story
                scene.words.update(self._scene().words)
        lines.append(self.fill(self._choose(ENDINGS), scene))
        return self._choose((" ", " ", " ", "\n")).join(line for line in lines if line)

    def giving(self) -> str:
        """Sentences whose last word is the name that was not just repeated (Wang et al. 2022)."""
        out = []
        for _ in range(self._between(1, 3)):
            scene = self._scene()
            names = (
                self._random.sample(LEXICON["name"], 2)
                if self._chance(0.85)
                else [self._invented(), self._invented()]
            )
            giver, taker = names if self._chance(0.5) else names[::-1]
            scene.words.update(a=names[0], b=names[1], x=giver, y=taker)
            sentence = self._skewed(GIVING, 1.3) + self._choose(GIVING_AFTER)
            out.append(self.fill(sentence, scene))
        return self._choose((" ", "\n")).join(out)

    def description(self) -> str:
        """Things that come back with the adjectives they were introduced with."""
        return " ".join(
            self.fill(self._choose(DESCRIPTIONS), self._scene()) for _ in range(self._between(1, 3))
        )

    def facts(self) -> str:
        """Capitals, opposites, colours, plurals: what is known without looking back."""
        lines = [self.fill(self._choose(FACTS), Scene()) for _ in range(self._between(1, 6))]
        return self._choose((" ", " ", "\n")).join(lines)

    def in_order(self) -> str:
        """Days, months, numbers or letters in their order."""
        length = self._between(3, 14)
        kinds = ("day", "day", "month", "number", "digits", "letter", "ordinal", "season")
        kind = self._choose(kinds)
        if kind == "digits":
            start, step = self._between(0, 60), self._random.choice((1, 1, 1, 2, 5, 10))
            items = [str(start + step * index) for index in range(length)]
        else:
            words = LEXICON[kind]
            start = self._random.randrange(len(words))
            cyclic = kind in ("day", "month", "season")
            items = [words[(start + i) % len(words)] for i in range(length)]
            items = items if cyclic else items[: len(words) - start]
        opening = self._choose(("", "", "", "The list: ", "We count ", "In order: "))
        return opening + self._choose(SEPARATORS[:6]).join(items) + self._choose(("", "."))

    def said_again(self) -> str:
        """One to three short sentences said again, whole or in part, at once or after others."""
        scene = self._scene()
        kind = self._random.random()
        if kind < 0.35:
            lines = [self._sentence()] * self._between(2, 4)
        elif kind < 0.55:
            lines = [self._sentence() for _ in range(self._between(2, 3))] * self._between(2, 3)
        elif kind < 0.75:
            line = self.fill("{N} has {adjective#q|an} {thing#t}.", scene)
            lines = [line, *([self._sentence()] if self._chance(0.4) else []), line]
            lines.append(self.fill(f"The {{adjective#q}} {{thing#t}} is {self._placed()}.", scene))
        elif kind < 0.9:
            lines = [self._sentence(), self._sentence()]
            lines.append(f'{scene.words["N"]} said it again: "{lines[0]}"')
            lines.append(lines[1])
        else:  # sentences that begin alike and end differently
            start = self.fill("{A|cap}", scene)
            lines = [f"{start} {self.fill('{A.deed}', scene)}." for _ in range(self._between(2, 4))]
        return self._choose((" ", " ", " ", "\n")).join(lines)

    def _placed(self) -> str:
        return self.fill("{placed}", Scene())

    def refrain(self) -> str:
        """A song: one line comes back after every other line."""
        scene = self._scene()
        line = self.fill(self._choose(SONG_LINES), scene)
        if self._chance(0.4):
            return self._choose((". ", ", ", "\n")).join([line] * self._between(2, 4)) + "."
        verses = [f"{self._sentence()}\n{line}." for _ in range(self._between(2, 4))]
        return "\n".join(verses)

    def word_list(self) -> str:
        """A few ordinary words, then the same words in the same order, once or more."""
        kinds = ("common", "common", "number", "animal", "color", "name", "toy")
        pool = LEXICON[self._choose(kinds)]
        words = self._random.sample(pool, min(self._between(2, 9), len(pool)))
        separator = self._choose(SEPARATORS)
        return separator.join(words * self._between(2, 4)) + self._choose(("", "."))

    def again_list(self) -> str:
        """A list that marks the items it has had before: "red, blue, red again"."""
        kinds = ("animal", "color", "toy", "name", "snack", "place", "number", "common", "letter")
        pool = LEXICON[self._choose(kinds)]
        pool = self._random.sample(pool, self._between(4, min(14, len(pool))))
        drawn = [self._choose(pool) for _ in range(self._between(6, 20))]
        style = self._choose(("again", "again", "count", "new or old"))
        marked = []
        for index, word in enumerate(drawn):
            before = drawn[:index].count(word)
            if style == "count":
                marked.append(f"{word} {before + 1}")
            elif style == "again":
                marked.append(f"{word} again" if before else word)
            else:
                marked.append(f"{word} {'old' if before else 'new'}")
        opening = self._choose(("", "", "We saw ", "The list: "))
        return opening + self._choose((", ", ", ", " ")).join(marked) + "."

    def brackets(self) -> str:
        """Brackets, quotation marks and tags that close in the right order."""
        words = [self._skewed(LEXICON["thing"]) for _ in range(self._between(2, 6))]
        if self._chance(0.3):
            tag = self._choose(("b", "i", "p", "li", "em"))
            return "\n".join(f"<{tag}>{word}</{tag}>" for word in words)
        text = words[0]
        for word in words[1:]:
            left, right = self._choose(("()", "[]", "{}", '""'))
            inner = f"{left}{text}{right}"
            text = f"{inner} {word}" if self._chance(0.5) else f"{word} {inner}"
        return text

    def loose_words(self) -> str:
        """Ordinary words in no order, so that every token is seen in many company."""
        pool = LEXICON[self._choose(("common", "common", "do", "adverb", "family", "mood"))]
        return " ".join(self._choose(pool) for _ in range(self._between(5, 20)))
