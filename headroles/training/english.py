"""A seeded grammar of simple English: stories, lists, facts, and many kinds of repetition.

The bundled model sees no other text. Every passage is drawn from hand-written templates and
the word lists of :mod:`headroles.training.lexicon`. So the text is ours, has no real people in
it, and is the same for the same seed on every machine.

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

from headroles.training.lexicon import LEXICON, PAIRS, split_words

SLOT = re.compile(r"\{(?P<kind>[\w.+]+)(?:#(?P<tag>\w+))?(?:\|(?P<form>\w+))?\}")

PRONOUNS = {"he": ("he", "him", "his"), "she": ("she", "her", "her"), "it": ("it", "it", "its")}

PLACED = (
    "on the {surface}",
    "on the {surface}",
    "under the {cover}",
    "in the {container}",
    "behind the {cover}",
    "near the {cover}",
    "next to the {cover}",
)

HUMAN_DEEDS = (
    "{did}",
    "{did}",
    "{did} {adverb}",
    "{sat} {placed}",
    "{sat} {placed}",
    "{moved} to the {place}",
    "{moved} to the {place}",
    "{took} {adjective|an} {thing}",
    "{took} {thing|an}",
    "ate {snack|an}",
    "ate some {food}",
    "drank some {drink}",
    "drank a cup of {drink}",
    "read a book",
    "wrote a letter",
    "sang a song",
    "told a story",
    "played a game",
    "opened the door",
    "closed the window",
    "went home",
    "went to bed",
    "fell asleep",
    "woke up",
    "was {mood}",
    "was very {mood}",
)

ANIMAL_DEEDS = (
    "slept",
    "slept",
    "jumped",
    "ran away",
    "sat {placed}",
    "sat {placed}",
    "sat {placed}",
    "slept {placed}",
    "lay {placed}",
    "ate the {food}",
    "ran to the {place}",
    "played {placed}",
    "looked at the {animal}",
    "hid {placed}",
    "woke up",
    "was {mood}",
    "was {adjective}",
)

OPENINGS = (
    "Once upon a time there was {size|an} {A.noun} who lived in {place|an}.",
    "Once upon a time, there was {quality|an} {A.noun}.",
    "One {time} {A} {moved} to the {P}.",
    "One {weather} day, {A} {moved} to the {P}.",
    "On {day}, {A} and {B} went to the {P}.",
    "It was {weather|an} {time}, and {A} {A.deed}.",
    "{A|cap} and {B} were friends.",
    "{A|cap} lived in {size|an} {place} near the {place}.",
    "{A|cap} {A.deed}.",
    "{A|cap} {A.deed}. {A|cap} {A.deed}.",
    "Yesterday {A} {A.deed}.",
    "There was {T.adj|an} {T} {placed}.",
    "{A|cap} had {T.adj|an} {T}.",
)

EVENTS = (
    "{A|cap} {A.deed}.",
    "{A|cap} {A.deed}.",
    "{B|cap} {B.deed}.",
    "{A.he|cap} {A.deed}.",
    "{A.he|cap} {A.deed} and {A.deed}.",
    "Then {A} {A.deed}.",
    "Then {B} {B.deed}.",
    "{A|cap} saw {T.adj|an} {T}. The {T} was {placed}.",
    "{A|cap} wanted the {T.adj} {T}.",
    "{A|cap} liked the {T} because the {T} was {T.adj}.",
    "The {T} was {T.adj}.",
    "The {T.adj} {T} was {placed}.",
    "{A|cap} put the {T.adj} {T} {placed}.",
    "{A|cap} put the {T} {placed}.",
    "{A|cap} took the {T} and went home.",
    "{A|cap} gave the {T.adj} {T} to {B}. {B|cap} thanked {A}.",
    "{B|cap} {gave} the {T} to {A}. {A|cap} was happy.",
    "{A|cap} looked for the {T}, but the {T} was not there.",
    "{A|cap} and {B} looked for the {T}.",
    "{A|cap} and {B} went to the {P}.",
    "{A|cap} {moved} to the {P} with {B}.",
    "The {P} was {quality}.",
    "{A|cap} was {mood}, so {A.he} went to the {P}.",
    "{A|cap} was {mood} because {B} {B.deed}.",
    "{A|cap} {met} {B}.",
    "{A|cap} {met} {B} in the {P}.",
    "When {A} {A.deed}, {B} {B.deed}.",
    "{A|cap} wanted to {do}, but {A.he} could not {do}.",
    "{A|cap} asked {B} to {do}.",
    "{A|cap} began to {do}.",
    "But {B} did not {do}.",
    "It was {weather} and {weather}.",
    "The sky was {color}.",
    "The next day, {A} {A.deed}.",
    "At last {A} and {B} were {mood}.",
    "{A|cap} told {B} about the {T.adj} {T}.",
    'Then {A} {said}, "Where is the {T}?" {B|cap} {said}, "The {T} is {placed}."',
    '"I want the {T.adj} {T}," {said} {A}. "No," {said} {B}.',
    '"Hello, {B.call}," {said} {A}. "Hello, {A.call}," {said} {B}.',
    '{A|cap} {said}, "I am {mood}." {B|cap} {said}, "Why are you {mood}?"',
    '"Thank you, {B.call}," {said} {A}.',
    '{B|cap} {said}, "Let us go to the {P}."',
    '"What is in the {container#c}?" asked {A}. In the {container#c} was {T.adj|an} {T}.',
)

ENDINGS = (
    "",
    "",
    "",
    "{A|cap} and {B} went home.",
    "{A|cap} was happy.",
    "{A|cap} went to bed and slept.",
    "The end.",
)

GIVING = (
    "When {a} and {b} went to the {place}, {x} gave {gift|an} to {y}.",
    "When {a} and {b} went to the {place}, {x} {gave} {gift|an} to {y}.",
    "When {a} and {b} were at the {place}, {x} {gave} the {gift} to {y}.",
    "When {a} and {b} got to the {place}, {x} wanted to {give} {gift|an} to {y}.",
    "After {a} and {b} went to the {place}, {x} {gave} {gift|an} to {y}.",
    "Then {a} and {b} went to the {place}. {x} {gave} {gift|an} to {y}.",
    "{a} and {b} were in the {place}. {x} decided to {give} the {gift} to {y}.",
    "While {a} and {b} were working at the {place}, {x} {gave} {gift|an} to {y}.",
    "{a} met {b} at the {place}. {x} said hello to {y}.",
    "One day {a} and {b} found {gift|an}. {x} {gave} the {gift} to {y}.",
    "Friends {a} and {b} had a long talk at the {place}. {x} told a story to {y}.",
    'When {a} and {b} went to the {place}, {x} said to {y}, "I am {mood}, {y}."',
)

GIVING_AFTER = ("", "", " {y} thanked {x}.", " {y} was {mood}.", " Then {y} {gave} it to {x}.")

DESCRIPTIONS = (
    "{N} has {adjective#q|an} {thing#t}. The {thing#t} is {adjective#q}.",
    "{N} has {adjective#q|an} {thing#t}. {M} wants the {adjective#q} {thing#t}.",
    "{N} has {adjective#q|an} {thing#t}. {M} has {adjective#q|an} {thing#t}.",
    "{N} has {adjective#q|an} {thing#t} and {adjective#r|an} {thing#u}. The {thing#t} is "
    "{adjective#q}. The {thing#u} is {adjective#r}.",
    "{N} has {adjective#q|an} {thing#t}. {M} has {adjective#r|an} {thing#u}. {N} likes the "
    "{adjective#q} {thing#t}. {M} likes the {adjective#r} {thing#u}.",
    "In the {place#p} there is {adjective#q|an} {cover#t}. Near the {adjective#q} {cover#t} there "
    "is {adjective|an} {thing}.",
    "{N} is {trait#q}. {M} is {trait#r}. {N} is a {trait#q} friend.",
    "{N} likes {food#a} and {food#b}. {N} does not like {food#c}. {M} likes {food#c}.",
    "{N} lives in the {place#p}. {M} lives in the {place#r}. {N} loves the {place#p}.",
    "The {thing#t} is {placed#l}. Question: Where is the {thing#t}? Answer: {placed#l}.",
    "{N} has the {color#q} {thing#t}. {M} has the {color#r} {thing#u}. Question: Who has the "
    "{thing#t}? Answer: {N}.",
    "My name is {N}. I am {number} years old. My {family} is {person|an}. I like to {do}.",
    "I live in {size|an} {place#p}. My friend {M} lives near the {place#p}. We {do} and {do}.",
    "Today I am {mood} because {M} {did}. I do not like {food}. I like the {color} {thing}.",
    "My favorite color is {color#q}. My {thing#t} is {color#q}. Do you like {color#q}?",
    "Dear {N},\nThank you for the {adjective#q} {thing#t}. I like the {adjective#q} {thing#t} very "
    "much.\nYour friend,\n{M}",
    "{N} went to the store and bought {snack#a|an}, {thing#b|an} and {thing#c|an}. {N} put the "
    "{snack#a}, the {thing#b} and the {thing#c} in the bag.",
    "First, take the {food#a}. Then, add the {food#b}. Next, cut the {food#c}. At last, eat the "
    "{food#a}.",
    "{Mr} {Z} was {mood#m}. {Mr} {Z} was {mood}. {Z|cap} {did}.",
    "{Mr} {Z} was {mood#m}. {Mr} {Z} was {mood#m} because {N} {did}. {N} {met} {Mr} {Z}.",
    "{Z} was {person|an} from the {place}. {N} {met} {Z} and {Z} {met} {N}. {Z} was {mood}.",
)

FACTS = (
    "The capital of {capital.left#x} is {capital.right#x}.",
    "{capital.right#x} is the capital of {capital.left#x}.",
    "{capital.right#x} is in {capital.left#x}.",
    "People in {speaks.left#x} speak {speaks.right#x}.",
    "The opposite of {opposite.left#x} is {opposite.right#x}.",
    "The opposite of {opposite.right#x} is {opposite.left#x}.",
    "The {colored.left#x} is {colored.right#x}.",
    "The color of the {colored.left#x} is {colored.right#x}.",
    "A baby {baby.left#x} is called a {baby.right#x}.",
    "The {sound.left#x} says {sound.right#x}.",
    "The {eats.left#x} eats {eats.right#x}.",
    "One {plural.left#x}, two {plural.right#x}.",
    "Today I {past.left#x}. Yesterday I {past.right#x}.",
    "After {day#x} comes {day+1#x}.",
    "The month after {month#x} is {month+1#x}.",
    "There are seven days in a week.",
    "There are twelve months in a year.",
    "The sun rises in the morning.",
    "The moon shines at night.",
    "Birds can fly and fish can swim.",
    "Ice is cold and fire is hot.",
)

SONG_LINES = (
    "{A|cap} {A.deed}",
    "Row, row, row the {vehicle}",
    "Oh my {adjective} {thing}",
    "Little {animal#a}, little {animal#a}",
    "Come with me to the {place}",
    "{name} had a little {animal}",
    "The wheels on the {vehicle} go round and round",
    "The {adjective} {animal} is {placed}",
    "{name} and {name} are {mood}",
)

SEPARATORS = (", ", ", ", " ", " ", "\n", "; ", " and ")
ONSETS = split_words("b br d dr f g gl h j k l m n p r s sh st t tr v w y z")
VOWELS = split_words("a e i o u ar er in an on en ol al un ick um")
CODAS = ("", "", "n", "l", "s", "t", "x", "ny", "dor", "ton", "by", "sley", "ra", "ka", "bo")
TITLES = ("Mr", "Mrs", "Dr")


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

# how often each kind of passage is drawn
PASSAGE_MIX: tuple[tuple[str, float], ...] = (
    ("story", 0.25),
    ("giving", 0.11),
    ("description", 0.12),
    ("in_order", 0.09),
    ("facts", 0.07),
    ("said_again", 0.14),
    ("refrain", 0.05),
    ("word_list", 0.06),
    ("again_list", 0.07),
    ("brackets", 0.02),
    ("loose_words", 0.02),
)


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
