"""The sentences of :class:`headroles.training.english.StoryGrammar`, with slots: data, no code.

A slot is ``{kind#tag|form}``, explained at
:meth:`~headroles.training.english.StoryGrammar.fill`. A sentence that stands twice
is drawn twice as often. Changing a line, or the order of the lines, changes every text that was
ever drawn from a seed.
"""

from __future__ import annotations

from headroles.training.lexicon import split_words

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
"""(kind of passage, how often it is drawn)."""

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
