"""Where in a model, and where in a prompt: what a lesson's words mean on the model that is loaded.

>>> position_of(("<|bos|>", " The", " cat", " The"), "The")
3
"""

from __future__ import annotations

from collections.abc import Sequence

from headroles.errors import HeadrolesError, NoHeadOfRoleError, UnknownRoleError
from headroles.formatting import count
from headroles.lessons.lesson import for_model
from headroles.lessons.naming import ALL, ByModel, role_and_place
from headroles.models import LoadedModel
from headroles.roles import ROLES
from headroles.store import categories
from headroles.texts import ids_of
from headroles.types import Head, place_in


def text_of(text: ByModel, model: str) -> str:
    """What a text is on a model.

    Raises:
        HeadrolesError: if it names other models only.
    """
    try:
        return for_model(text, model)
    except KeyError:
        raise HeadrolesError(
            f"This step says nothing for the model '{model}', only for {', '.join(text)}.",
            hint="Add a line for it, or one called “default”.",
            value=model,
        ) from None


def head_of(named: ByModel, loaded: LoadedModel) -> Head:
    """The head that a lesson means: by its label, or by a role and its place on the list.

    Raises:
        UnknownHeadError: if the model has no such head, or the words name none.
        UnknownRoleError: if there is no such role.
        NoHeadOfRoleError: if the model's analysis lists none, or not so many.
        CategoriesMissingError: if a role is named and the model has no analysis.
    """
    text = text_of(named, loaded.key)
    found = role_and_place(text)
    if found is None:
        head = Head.parse(text)
        head.check(*loaded.shape)
        return head
    role, place = found
    if role not in ROLES:
        raise UnknownRoleError(role, known=list(ROLES))
    entry, _ = categories.good_entry(loaded.key)
    listed = entry.listed(role)
    if len(listed) < place:
        others = [key for key in entry.categories if entry.listed(key)]
        raise NoHeadOfRoleError(text, model=loaded.key, listed=others)
    return listed[place - 1]


def heads_of(named: Sequence[ByModel], loaded: LoadedModel) -> tuple[Head, ...]:
    """Several heads, each once: written as for :func:`head_of`, or ``"induction *"`` for all that
    the model's analysis lists in a role.

    Raises:
        HeadrolesError: as :func:`head_of`.
    """
    found: dict[Head, None] = {}
    for text in (text_of(one, loaded.key) for one in named):
        role = text.removesuffix(ALL)
        heads = [head_of(role, loaded)]  # raises where there is none
        if role != text:
            heads = categories.good_entry(loaded.key)[0].listed(role)
        found.update(dict.fromkeys(heads))
    return tuple(found)


def token_of(text: str, loaded: LoadedModel) -> int:
    """The one token of a word of the prompt: with a space in front if that is one, or without.

    Raises:
        HeadrolesError: if the model reads it in pieces.
    """
    word = text.strip()
    for form in (f" {word}", word):
        if len(ids := ids_of(loaded.tokenizer, form)) == 1:
            return ids[0]
    raise HeadrolesError(
        f"“{word}” is no single token of this model.", hint="Take a common word.", value=text
    )


def position_of(tokens: Sequence[str], named: str | int, *, last: bool = True) -> int:
    """The position of a word in a prompt, or a position as it is; negative ones count from the end.

    Args:
        tokens: [pos] the prompt's tokens; position 0 is the start token.
        named: a word, with or without its leading space, or a position.
        last: whether the last of several is meant, or the first.

    Raises:
        UnknownPositionError: if the prompt has no such position.
        HeadrolesError: if no token is that word.
    """
    if isinstance(named, int):
        return place_in(named, len(tokens))
    found = [place for place, token in enumerate(tokens) if token.strip() == named.strip()]
    if not found:
        raise HeadrolesError(
            f"No token of the prompt is “{named}”.",
            hint=f"It has {count(len(tokens), 'token')}: {' '.join(tokens)}",
            value=named,
        )
    return found[-1 if last else 0]
