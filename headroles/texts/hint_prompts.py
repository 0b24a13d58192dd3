"""Prompts that the analysis tries on every listed head, to find one that wakes it.

Each is something that one may show to a student: names that come back, lists, dialogue, code,
repeated phrases, and plain or long text without a repeat. Which of them wakes which head is a
property of the model, so nothing here says so: :mod:`headroles.analysis.hints` finds it out.

>>> len(hint_prompts(stories=False)) > 40
True
"""

from __future__ import annotations

from headroles.texts.examples import DEFAULT_PROMPT

_STORIES = (
    DEFAULT_PROMPT,
    # phrases that come back
    "Tom has a red ball and a blue hat. Tom has a red ball and a blue",
    "The big dog ran home. The small cat slept. The big dog ran",
    "The small bird sang in the tree. The fox waited. The small bird sang in the tree.",
    "Lily put the golden key in the wooden box. Ben took the golden key out of the wooden box.",
    "Sam saw a lion, a tiger and a bear. Then Sam saw a lion, a tiger and a",
    "The old king was sad. The young queen was happy. The old king was",
    "The duck said good morning to the cow. The cow said good morning to the duck.",
    # names that come back
    "Anna Rose met Peter Oscar in the park. Later Anna Rose gave Peter Oscar",
    "When Mary and John went to the store, John gave a drink to",
    "Emma and Jack went to the beach. Emma found a shell. Jack found a stone. Emma and Jack",
    "Max likes Lucy. Lucy likes Paul. Paul likes Max. Max likes",
    # lists
    "Monday, Tuesday, Wednesday, Thursday, Monday, Tuesday, Wednesday,",
    # dialogue
    "“Where is my hat?” asked the farmer. “Where is my hat?” asked the farmer again.",
    "“I am tired,” said the bear. “I am not tired,” said the rabbit.",
    # no repeats
    "The old man walked slowly to the river with his dog.",
    "Anna put the small key in the box under her bed.",
    "The king lived in a big castle on a hill.",
    "Lucy and her brother went to the beach in the morning.",
    "On Monday the farmer went to the market and bought a horse, a cow and a sheep.",
    "The queen gave the little girl a golden ring because she was kind and brave.",
    "Once upon a time there was a little mouse who lived under a big old tree near the river.",
    "She opened the door, looked outside and smiled, because the sun was warm and bright.",
)

_STORY_ROWS = (
    "one two three four one two three four one two",
    "red blue green yellow white red blue green yellow white red blue",
    "apple bread cheese honey milk water apple bread cheese honey milk water apple bread",
    "lamp river doctor music window lamp river doctor music window lamp river doctor",
    "A B C D E F G A B C D E F G A B",
    "cat dog bird horse, dog cat horse bird, bird horse cat dog",
    "horse window music doctor river letter summer garden bread lamp mountain captain winter",
    "happy sad tired hungry angry afraid proud lonely excited surprised thirsty bored worried",
)

_TEXTS = (
    DEFAULT_PROMPT,
    # names that come back
    "Mrs. Quillen met Dr. Zhao in Lisbon. A year later, Mrs. Quillen met Dr.",
    "Ottilie Brandt met Kwame Asante at the harbour. That evening, Ottilie Brandt thanked Kwame "
    "Asante.",
    "Ingrid Solberg wrote to Rafael Quintero. Two weeks later, Rafael Quintero called Ingrid "
    "Solberg.",
    "Zebulon Thackeray plays chess with Priya Raman. On Sunday, Zebulon Thackeray lost to Priya "
    "Raman.",
    "When Mary and John went to the store, John gave a drink to",
    "Marisol Etxeberria is a pilot. Tadeusz Wolański is a cook. Marisol Etxeberria knows Tadeusz "
    "Wolański.",
    # phrases that come back
    "The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the lazy dog.",
    "Row, row, row your boat, gently down the stream. Row, row, row your boat, gently down the",
    "Tyger Tyger, burning bright, in the forests of the night. Tyger Tyger, burning bright,",
    "The code is 7391. Please write it down. I repeat: the code is 7391.",
    "Ice cream costs three dollars. Orange juice costs two dollars. Ice cream costs three",
    "A frog sat on a log. The log rolled, and the frog fell off the log.",
    "If it rains, we stay at home. If it snows, we go skiing. If it rains, we stay",
    # facts of one form
    "The capital of France is Paris. The capital of Japan is Tokyo. The capital of Italy is",
    "Mercury is a planet. Venus is a planet. Jupiter is a planet. The Moon is not a planet.",
    "bread = pain, cheese = fromage, milk = lait, bread = pain, cheese =",
    "Question: Who wrote Hamlet? Answer: Shakespeare. Question: Who wrote Emma? Answer: Austen.",
    # lists
    "red, green, blue, yellow, red, green, blue, yellow, red, green,",
    "Monday, Tuesday, Wednesday, Thursday, Monday, Tuesday, Wednesday,",
    "milk\nbread\neggs\nbutter\nmilk\nbread\neggs\nbutter\nmilk",
    # dialogue
    "“Where is the key?” asked Nora. “I gave the key to Felix,” said Tom. “And where is Felix?” "
    "asked Nora.",
    "“Knock, knock.” “Who is there?” “Boo.” “Boo who?” “Why are you crying?”",
    # code
    "for name in names:\n    print(name)\n\nfor name in names:\n    print",
    "def add(a, b):\n    return a + b\n\ndef sub(a, b):\n    return a - b\n",
    "<ul>\n<li>Milk</li>\n<li>Bread</li>\n<li>Eggs</li>\n</ul>",
    '{"name": "Ada", "age": 36}, {"name": "Alan", "age": 41}, {"name": "Grace", "age": 79}',
    "x = 1\ny = 2\nz = x + y\nprint(x, y, z)",
    # no repeats
    "Water boils at one hundred degrees Celsius and freezes at",
    "Light travels faster than sound, which is why we see lightning before we hear",
    "The Eiffel Tower in Paris was built in 1889 by the engineer Gustave",
    "Scientists have discovered a new species of frog in the rainforest of Ecuador.",
    "She opened the door, looked outside and smiled, because the sun was warm and bright.",
    "My grandmother used to bake bread every Saturday, while we children played in her garden.",
    "What would you do if you found a wallet full of money on your way home?",
    "He ran, jumped, slipped, fell, laughed, stood up, waved, and walked away.",
    "When the last train had left, nobody stayed behind except an old porter, who swept up "
    "tickets, whistled softly, and waited for morning.",
    "Although researchers disagree about many details, most believe that language evolved "
    "gradually, shaped by gesture, cooperation, memory, trade and play.",
    "Stop! Wait! Listen! Look! Run! Hide! Jump! Swim! Climb! Rest!",
    "Paris, London, Madrid, Vienna, Oslo, Athens, Cairo, Delhi, Lima, Tokyo",
)

_TEXT_ROWS = (
    "copper violin garden thunder pencil mirror coffee copper violin garden thunder pencil "
    "mirror coffee copper violin",
    "anchor walrus candle puzzle orbit saddle tunnel anchor walrus candle puzzle orbit saddle "
    "tunnel",
    "one two three four one two three four one two",
    "A B C D E F G A B C D E F G A B",
    "yes no yes no maybe yes no yes no maybe",
    "sun moon star, moon star sun, star sun moon",
    "horse window music doctor river letter summer garden bread lamp mountain captain winter",
    "happy sad tired hungry angry afraid proud lonely excited surprised thirsty bored worried",
    "the of and to in is that it for was on are as with his they at be this have from or",
    "4 8 15 16 23 42 57 61 78 99 104 113",
)

ROWS = frozenset((*_STORY_ROWS, *_TEXT_ROWS))
"""Rows of words without grammar: kept only where they wake more heads than a text does."""


def hint_prompts(*, stories: bool) -> tuple[str, ...]:
    """The candidates for a model of simple stories, or for one that reads any text."""
    return (*_STORIES, *_STORY_ROWS) if stories else (*_TEXTS, *_TEXT_ROWS)
