"""The words that the training text is made of, by kind.

One dictionary, :data:`LEXICON`, from a kind (``"animal"``) to its words. The grammar in
:mod:`headroles.training.english` draws from it, and the tokenizer is trained so that every word
here is a single token. Relations between words (a country and its capital) live in :data:`PAIRS`.

    python -c "from headroles.training.lexicon import LEXICON; print(LEXICON['animal'])"
"""

from __future__ import annotations


def split_words(text: str) -> tuple[str, ...]:
    """Split a block of words; an underscore stands for a space inside one entry."""
    return tuple(word.replace("_", " ") for word in text.split())


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Split a block of ``left/right`` entries."""
    entries = (entry.partition("/") for entry in text.split())
    return tuple((left, right) for left, _, right in entries)


LEXICON: dict[str, tuple[str, ...]] = {
    "boy": split_words(
        "John Tom Sam Ben Jack Max Peter Paul James David Mark Adam Daniel Henry Leo Oscar Simon "
        "Martin Robert George Alex Luke Frank Charlie Harry Bill Michael Andrew"
    ),
    "girl": split_words(
        "Mary Anna Lucy Emma Sara Kate Jane Alice Lily Rose Grace Laura Julia Maria Nina Sophie "
        "Ella Mia Helen Ruth Susan Clara Amy Eva Zoe Emily Sarah Lisa"
    ),
    "animal": split_words(
        "cat dog bird horse cow mouse fox rabbit bear duck pig sheep lion wolf frog owl goat "
        "monkey tiger elephant hen bee snake turtle chicken fish spider ant"
    ),
    "person": split_words(
        "king queen farmer teacher doctor baker man woman boy girl nurse driver soldier sailor "
        "artist cook prince princess wizard witch giant thief captain writer student hunter "
        "judge robot dragon knight lady guard pilot scientist singer worker stranger child baby "
        "police"
    ),
    "family": split_words(
        "mother father sister brother friend grandmother grandfather uncle aunt cousin neighbor "
        "son daughter wife husband mom dad"
    ),
    "surface": split_words(
        "mat bed chair table floor rug sofa wall roof bench grass box rock fence"
    ),
    "cover": split_words(
        "bed table chair tree box door sofa stone bush bridge desk blanket house car"
    ),
    "container": split_words(
        "box bag basket drawer kitchen garden house room car bucket cup bottle barn closet pocket"
    ),
    "place": split_words(
        "store park school garden house forest market beach river farm library lake station "
        "hospital church zoo museum kitchen village city castle office restaurant bank hill "
        "mountain bridge field theater hotel island town cave airport yard street room shop"
    ),
    "toy": split_words(
        "ball book hat kite doll toy drum coin key ring flower letter map bell lamp pen stone "
        "feather balloon puzzle camera clock watch game card"
    ),
    "tool": split_words(
        "rope knife spoon bag basket bottle candle plate bowl pencil phone radio umbrella ladder "
        "bucket brush hammer mirror guitar bike picture pillow computer flag stick chain wheel "
        "needle sword crown box cup coat shirt dress scarf jacket sweater skirt cap shoe"
    ),
    "snack": split_words(
        "apple cake sandwich cookie banana pie egg carrot pear potato orange peach tomato lemon"
    ),
    "food": split_words(
        "bread cheese soup rice fish meat honey butter fruit chicken salad corn pasta chocolate "
        "candy pizza sugar breakfast lunch dinner"
    ),
    "drink": split_words("water milk tea juice coffee wine"),
    "vehicle": split_words("car bus train boat bike truck ship plane taxi"),
    "color": split_words("red blue green yellow white black brown pink orange gray purple golden"),
    "size": split_words("big small little tiny huge tall long short large thin"),
    "quality": split_words(
        "old new beautiful pretty strange broken soft heavy clean dirty warm cold bright dark "
        "round strong nice cheap simple special magic wooden good bad great hot full empty hard "
        "open"
    ),
    "mood": split_words(
        "happy sad tired hungry angry afraid proud lonely excited surprised thirsty bored "
        "worried sleepy sick lucky brave busy glad nervous safe ready late"
    ),
    "trait": split_words(
        "kind brave clever lazy good funny wise shy gentle honest quiet young old strong silly "
        "friendly careful smart poor rich polite rude famous strange"
    ),
    "adverb": split_words(
        "slowly quickly quietly softly happily sadly suddenly carefully gently loudly politely "
        "angrily again together alone away outside inside home"
    ),
    "day": split_words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "month": split_words(
        "January February March April May June July August September October November December"
    ),
    "number": split_words(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
        "fifteen sixteen seventeen eighteen nineteen twenty"
    ),
    "ordinal": split_words("first second third fourth fifth sixth seventh eighth ninth tenth"),
    "season": split_words("spring summer autumn winter"),
    "weather": split_words("sunny cold rainy warm cloudy windy hot dark wet dry"),
    "time": split_words("morning evening night day afternoon"),
    "letter": split_words("A B C D E F G H I J K L M N O P Q R S T U V W X Y Z"),
    # verbs, past tense, by what may follow them
    "did": split_words(
        "slept laughed smiled cried jumped danced sang waited played worked rested listened "
        "stopped swam ran ate left woke looked fell stood won"
    ),
    "moved": split_words("walked ran went hurried came drove returned"),
    "sat": split_words("sat stood slept waited hid lay played"),
    "took": split_words(
        "saw found liked wanted took bought made held watched carried dropped lost kept painted "
        "opened washed fixed broke cleaned sold hid threw loved touched needed used"
    ),
    "gave": split_words("gave showed handed sent passed offered brought sold threw"),
    "give": split_words("give show hand send pass offer bring sell throw"),
    "met": split_words("saw heard followed called helped met loved watched liked knew"),
    "said": split_words("said cried whispered shouted answered replied"),
    "do": split_words(
        "run eat go see take sing swim write read sleep buy give make walk play jump talk work "
        "cook dance drink drive fly draw help stop wait listen learn"
    ),
    "job": split_words("school farm shop hospital castle office station hotel theater market"),
    "gift": split_words(
        "drink book ring letter ball gift key apple flower cake map hat coin cup bag pen toy"
    ),
    # ordinary words that stories use little but people type often
    "common": split_words(
        "about after all also am an and any are as at be because been before being below between "
        "both but by can could did different do does done down during each end enough even every "
        "fact far fast few find for from get go had hand has have he head help her here him his "
        "how idea if important in into is it its just keep kind know language last left less "
        "life light like line little long look made make many may me mean men might model money "
        "more most much must my name near need never new next no not nothing now number of off "
        "often on once only or other our out over own part people place point problem public put "
        "question right said same say second see seem set she should show side since small so "
        "some something sound still story such system take tell than that the their them then "
        "there these they thing think this those thought three through time to together too two "
        "under until up us use very want was water way we well were what when where which while "
        "who why will with without word work world would write year years yes you your always "
        "another answer around ask away back become began begin believe better body bring build "
        "business call change close country course cut death door early earth eat every example "
        "eye eyes face family feel feet felt fire follow food form found friend gave girl give "
        "god gone government great group grow half hands happen hard heart high hold home hope "
        "hour house however human keep king land large law lay lead learn least let light live "
        "lived local long lost love matter mind minute moment month morning mother music nature "
        "night none often open order paper party perhaps person picture plan plant play power "
        "present pretty quite reason remember rest road room run school science sea several "
        "short since sit sleep social song soon special stand start state stay stood stop street "
        "strong students study sun sure talk teach though today told tomorrow took town tree "
        "true try turn understand voice wait walk wall war watch week went white whole wife "
        "window woman women wonder young attention head token layer computer machine read book "
        "sentence letter note data test page"
    ),
}

LEXICON["name"] = tuple(
    name for pair in zip(LEXICON["boy"], LEXICON["girl"], strict=True) for name in pair
)
LEXICON["object"] = LEXICON["toy"] + LEXICON["tool"]
LEXICON["thing"] = LEXICON["toy"] * 2 + LEXICON["tool"] + LEXICON["snack"] + LEXICON["vehicle"]
LEXICON["adjective"] = LEXICON["color"] * 3 + LEXICON["size"] * 2 + LEXICON["quality"]

PAIRS: dict[str, tuple[tuple[str, str], ...]] = {
    "capital": _pairs(
        "France/Paris Italy/Rome Spain/Madrid Germany/Berlin England/London Japan/Tokyo "
        "China/Beijing Russia/Moscow Egypt/Cairo Greece/Athens Poland/Warsaw Portugal/Lisbon "
        "Austria/Vienna Ireland/Dublin Norway/Oslo Sweden/Stockholm Canada/Ottawa India/Delhi"
    ),
    "speaks": _pairs(
        "France/French Italy/Italian Spain/Spanish Germany/German England/English Japan/Japanese "
        "China/Chinese Russia/Russian Greece/Greek Poland/Polish"
    ),
    "opposite": _pairs(
        "hot/cold big/small up/down day/night happy/sad fast/slow old/new light/dark open/closed "
        "good/bad black/white left/right young/old high/low long/short early/late wet/dry "
        "full/empty hard/soft rich/poor strong/weak clean/dirty loud/quiet near/far first/last "
        "right/wrong tall/short heavy/light sweet/sour true/false start/end inside/outside "
        "love/hate yes/no"
    ),
    "colored": _pairs(
        "sky/blue grass/green snow/white sun/yellow blood/red night/black banana/yellow "
        "milk/white sea/blue leaf/green coal/black lemon/yellow tomato/red carrot/orange "
        "cloud/white"
    ),
    "baby": _pairs(
        "cat/kitten dog/puppy cow/calf horse/foal sheep/lamb duck/duckling bear/cub lion/cub "
        "bird/chick goat/kid"
    ),
    "sound": _pairs("cat/meow dog/woof cow/moo duck/quack sheep/baa pig/oink owl/hoot bee/buzz"),
    "eats": _pairs(
        "cat/fish dog/meat cow/grass horse/grass mouse/cheese rabbit/carrots bear/honey "
        "duck/bread bird/seeds frog/flies monkey/bananas"
    ),
    "plural": _pairs(
        "cat/cats dog/dogs bird/birds tree/trees book/books house/houses man/men woman/women "
        "child/children mouse/mice foot/feet tooth/teeth car/cars apple/apples boy/boys "
        "girl/girls star/stars box/boxes egg/eggs ball/balls flower/flowers friend/friends "
        "hand/hands eye/eyes"
    ),
    "past": _pairs(
        "run/ran eat/ate go/went see/saw take/took sing/sang swim/swam write/wrote sleep/slept "
        "buy/bought give/gave make/made walk/walked play/played jump/jumped talk/talked "
        "work/worked drink/drank drive/drove fly/flew draw/drew"
    ),
}
