"""The small frozen records that the parts of the project hand to each other.

Every field's documentation begins with its shape or unit. Nothing here computes; exceptions are
how a head is written (``L5H1``) and read back, and a place that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from headroles.errors import UnknownComponentError, UnknownHeadError, UnknownPositionError
from headroles.formatting import count, places

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor

# Layer and head must be told apart by a separator or an H: "112" could be L1H12 or L11H2.
_COMPONENT_LABEL = re.compile(
    r"\s*L?(\d{1,3})\s*[-.,]?\s*([QKVO])\s*[-.,]?\s*(\d{1,4})\s*", re.IGNORECASE
)
_HEAD_LABEL = re.compile(r"\s*L?(\d{1,3})\s*(?:[-.,]\s*H?|H)\s*(\d{1,3})\s*", re.IGNORECASE)


class Head(NamedTuple):
    """One attention head, addressed by layer and by query head within the layer (both from 0)."""

    layer: int
    head: int

    @property
    def label(self) -> str:
        """How people write it: ``L5H1``."""
        return f"L{self.layer}H{self.head}"

    @classmethod
    def parse(cls, text: str) -> Head:
        """Read ``L5H1``, ``l5-h1`` or ``5.1``.

        Raises:
            UnknownHeadError: if the text is none of these.
        """
        match = _HEAD_LABEL.fullmatch(text)
        if match is None:
            raise UnknownHeadError(text)
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def every(cls, layers: int | Iterable[int], heads: int) -> list[Head]:
        """Every head of so many layers, or of these, layer by layer.

        >>> [head.label for head in Head.every(2, 2)]
        ['L0H0', 'L0H1', 'L1H0', 'L1H1']
        """
        chosen = range(layers) if isinstance(layers, int) else layers
        return [cls(layer, head) for layer in chosen for head in range(heads)]

    def check(self, layers: int, heads: int) -> None:
        """Refuse a head that a model of so many layers and heads a layer does not have.

        Raises:
            UnknownHeadError: with what there is.
        """
        if not (0 <= self.layer < layers and 0 <= self.head < heads):
            raise UnknownHeadError(self.label, layers=layers, heads=heads)


class Component(NamedTuple):
    """One rank-one component of a layer's query, key, value or output matrix (all from 0)."""

    layer: int
    projection: str
    """``q``, ``k``, ``v`` or ``o``."""
    number: int

    @property
    def label(self) -> str:
        """How it is written: ``L0Q17``."""
        return f"L{self.layer}{self.projection.upper()}{self.number}"

    @property
    def place(self) -> tuple[int, str]:
        """The layer and the projection."""
        return self.layer, self.projection

    @classmethod
    def parse(cls, text: str) -> Component:
        """Read ``L0Q17``, ``l0-q-17`` or ``0.q.17``.

        Raises:
            UnknownComponentError: if the text is none of these.
        """
        match = _COMPONENT_LABEL.fullmatch(text)
        if match is None:
            raise UnknownComponentError(text)
        return cls(int(match[1]), match[2].lower(), int(match[3]))


class ComponentSet(NamedTuple):
    """Components that are removed together, of any matrices and layers, in all heads or in some."""

    components: tuple[Component, ...]
    """The components, each once."""
    only_in: tuple[Head, ...] = ()
    """The heads that lose them; none for all heads."""

    @property
    def label(self) -> str:
        """How it is written: ``L0Q17, L0K3 @ L0H3``."""
        where = f" @ {', '.join(head.label for head in self.only_in)}" if self.only_in else ""
        return ", ".join(component.label for component in self.components) + where

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that it takes something from."""
        return tuple(sorted({component.layer for component in self.components}))

    @classmethod
    def parse(cls, text: str) -> ComponentSet:
        """Read ``L0Q17, L0K3``, or ``L0Q17 @ H3`` for what is removed in one head only; heads of a
        set in several layers are written with their layer, ``L1H3``.

        Raises:
            UnknownComponentError: if a component is not written so, or there is none.
            UnknownHeadError: if a head is not, or lies in a layer that loses nothing.
        """
        named, at, where = text.partition("@")
        parts = [part for part in re.split(r"[,\s]+", named.strip()) if part]
        made = cls(tuple(dict.fromkeys(map(Component.parse, parts or [text.strip()]))))
        heads = (
            tuple(_head_in(part, made.layers) for part in re.split(r"[,\s]+", where.strip()))
            if at
            else ()
        )
        return made._replace(only_in=tuple(dict.fromkeys(heads)))

    @classmethod
    def parse_all(cls, text: str) -> tuple[ComponentSet, ...]:
        """Read several sets, with a semicolon or a line break between them; none of a blank text.

        >>> [each.label for each in ComponentSet.parse_all("L0Q17, L0K3; L1V5 @ H2")]
        ['L0Q17, L0K3', 'L1V5 @ L1H2']

        Raises:
            UnknownComponentError, UnknownHeadError: as :meth:`parse`.
        """
        parts = [part for part in re.split(r"[;\n]", text) if part.strip()]
        return tuple(dict.fromkeys(map(cls.parse, parts)))


def _head_in(text: str, layers: Sequence[int]) -> Head:
    """A head of a set in these layers, which may be written without its layer if there is one."""
    bare = re.fullmatch(r"[Hh]?(\d{1,3})", text)
    head = Head(layers[0], int(bare[1])) if bare and len(layers) == 1 else Head.parse(text)
    if head.layer not in layers:
        raise UnknownHeadError(text, of_layers=layers)
    return head


def place_in(position: int, length: int) -> int:
    """A position of a prompt of so many tokens, from 0; negative ones count from the end.

    Raises:
        UnknownPositionError: if the prompt has no such position.
    """
    if not -length <= position < length:
        raise UnknownPositionError(
            f"There is no position {position} in a prompt of {count(length, 'token')}.",
            hint=f"It has {places('position', length)}; the start token is 0.",
            value=position,
        )
    return position % length


@dataclass(frozen=True)
class NextToken:
    """One guess of the model for the token after the prompt."""

    text: str
    """The token as text, spaces kept."""
    token_id: int
    """Its id in the model's vocabulary."""
    probability: float
    """0..1, softmax over the whole vocabulary."""


@dataclass(frozen=True, eq=False)
class Encoding:
    """A prompt as the model reads it, after the one tokenisation policy of the project."""

    token_ids: tuple[int, ...]
    """[pos] ids; position 0 is the BOS token or its stand-in."""
    tokens: tuple[str, ...]
    """[pos] the same as text, one string per token; a lone byte appears as ``<0xF0>``."""
    start_token: str
    """The text of the token at position 0, e.g. ``<|endoftext|>``."""
    start_is_stand_in: bool
    """True when it is not the BOS that the tokenizer declares."""
    full_length: int
    """Tokens before truncation, position 0 included."""
    start_passed_over: str = ""
    """The declared BOS whose place it takes, a chat marker; "" where none was passed over."""
    start_added_by: Literal["app", "text", "template"] = "app"
    """Who put it there; it is never put there twice."""
    is_chat: bool = False
    """Whether the prompt was wrapped by the model's chat template."""
    template_positions: tuple[int, ...] = ()
    """Positions after 0 of the tokens that the template added."""
    special_positions: tuple[int, ...] = ()
    """Positions after 0 of special tokens that were typed, each read as one token."""
    unknown_positions: tuple[int, ...] = ()
    """Positions of the unknown token, which stands for whatever the model has no token for."""
    lost: tuple[str, ...] = ()
    """The characters, each once, that the tokenizer left out or changed."""

    @cached_property
    def copy_ids(self) -> tuple[int, ...]:
        """[pos] the ids by which roles look for copies: a token of the template is none of any, and
        neither is a start token that the app put there.

        Every template repeats its markers and line breaks, whatever was typed. Each gets a number
        below 0 of its own here.
        """
        template = set(self.template_positions)
        if self.start_added_by == "app" and self.token_ids[0] in self.token_ids[1:]:
            template.add(0)
        if not template:
            return self.token_ids
        return tuple(
            -(position or len(self.token_ids)) if position in template else token_id
            for position, token_id in enumerate(self.token_ids)
        )

    @property
    def truncated(self) -> bool:
        """Whether tokens at the end were left out because the prompt was too long."""
        return self.full_length > len(self.token_ids)


@dataclass(frozen=True, eq=False)
class PromptRun:
    """Everything one forward pass on one prompt gives."""

    model_name: str
    """The key of the model in the catalogue and in ``head_categories.json``."""
    prompt: str
    """The text that was typed."""
    encoding: Encoding
    """The tokens that were run."""
    attention: Float[Tensor, "layer head query key"]
    """[layer head query key] attention after the softmax: causal; a row sums to 1, or to less in a
    model with learned sinks."""
    next_tokens: tuple[NextToken, ...]
    """The most probable next tokens, best first."""
    output_change: Float[Tensor, "layer head"] | None = None
    """[layer head] how much a head's output changes from token to token, next to what a head of its
    layer writes (0 and up); None where that is not known."""
    source: str = ""
    """What the model was loaded from; "" where nobody has said."""
    sight: tuple[Bool[Tensor, "query key"] | None, ...] = ()
    """[layer] what the heads of each layer can see: True where they can look, None where that is
    every token so far. Layers that see the same share one tensor; empty where all see everything.
    """
    revision: str = ""
    """What pins the weights that ran; "" where nobody has said."""

    @property
    def tokens(self) -> tuple[str, ...]:
        """[pos] the tokens as text."""
        return self.encoding.tokens

    @property
    def token_ids(self) -> tuple[int, ...]:
        """[pos] the token ids."""
        return self.encoding.token_ids

    @property
    def copy_ids(self) -> tuple[int, ...]:
        """[pos] the ids by which roles look for copies (:attr:`Encoding.copy_ids`)."""
        return self.encoding.copy_ids


@dataclass(frozen=True)
class Activation:
    """How much of its attention a head puts where a role says, on one prompt.

    All means are over the same rows: those that apply.
    """

    value: float
    """0..1, the attention on S(q) as a share of the attention that counts for the role."""
    chance: float
    """0..1, the same number for a head that spreads evenly over its row, on this prompt."""
    rows: int
    """Count of query rows that apply; 0 means the role does not apply to this prompt."""
    work: float = 1.0
    """0..1, mean attention that counts: all of it, or what does not rest and can tell."""
    resting: float = 0.0
    """0..1, mean attention on position 0."""
    itself: float = 0.0
    """0..1, mean attention of a token on itself."""
    previous: float = 0.0
    """0..1, mean attention on the token just before."""
    nowhere: float = 0.0
    """0..1, mean attention on no token: what a learned sink takes."""

    @property
    def lift(self) -> float:
        """-inf..1, how far above chance: 0 is chance, 1 is a perfect head (Cohen's kappa)."""
        return (self.value - self.chance) / (1 - self.chance) if self.chance < 1 else 0.0


@dataclass(frozen=True)
class Evidence:
    """One cell behind an activation."""

    query: int
    """Row: the position that looks."""
    key: int
    """Column: the position it looks at."""
    weight: float
    """0..1, the attention in that cell."""


State = Literal["active", "quiet", "not_applicable", "too_short"]
"""Whether a head does a role on a prompt."""


@dataclass(frozen=True)
class Verdict:
    """What one head is doing about one role on one prompt."""

    head: Head
    """The head."""
    role: str
    """The role's key."""
    activation: Activation
    """The numbers behind the state."""
    threshold: float
    """0..1, the role's threshold for this model."""
    state: State
    """Whether it does the role on this prompt, does something else, or cannot be judged."""
    reason: str
    """One sentence in plain words."""
    resting_share: float
    """0..1, mean attention on position 0 over the rows after it."""
    needed: float
    """0..1, what an activation must reach on this prompt to count: the threshold, or more where
    chance is high."""

    @property
    def is_active(self) -> bool:
        """Whether the head is doing the role on this prompt."""
        return self.state == "active"


@dataclass(frozen=True, eq=False)
class OffsetMeans:
    """Mean attention of every head at the distances 1, 2 ... tokens back."""

    mean: Float[Tensor, "distance layer head"]
    """[distance layer head] on sentences, 0..1."""
    standard_error: Float[Tensor, "distance layer head"]
    """[distance layer head] of that mean."""
    control: Float[Tensor, "distance layer head"]
    """[distance layer head] on random tokens."""
    control_error: Float[Tensor, "distance layer head"]
    """[distance layer head] of that mean."""
    chance: Float[Tensor, " distance"]
    """[distance] what an even spread gives."""
    peak: Int[Tensor, "layer head"]
    """[layer head] the distance from 2 on that lies furthest over its chance."""
    is_previous: Bool[Tensor, "layer head"]
    """[layer head] True where one token back lies further over its chance."""


@dataclass(frozen=True, eq=False)
class RoleScores:
    """The offline scores of every head of a model for one role."""

    role: str
    """The role's key."""
    mean: Float[Tensor, "layer head"]
    """[layer head] mean over texts: 0..1, or logits where the role is a direct effect."""
    standard_error: Float[Tensor, "layer head"]
    """[layer head] standard error of that mean over texts."""
    chance: float | None
    """0..1, mean chance level over the same texts; None in logits."""
    n: int
    """Independent values behind each mean and error: texts; for some roles words or needles."""
    unseen_layers: tuple[int, ...] = ()
    """Layers in which hardly a text shows heads the role's places: their 0 is no measurement."""
    null: Float[Tensor, "layer head"] | None = None
    """[layer head] mean activation on random target cells; None where they were not tried."""
    null_limit: float | None = None
    """0..1, what one percent of all heads on single texts put on such cells, or more."""
    control: Float[Tensor, "layer head"] | None = None
    """[layer head] the same mean on the control texts, or None when the role has no control."""
    control_name: str = ""
    """What the control texts are, e.g. ``random tokens``."""
    control_error: Float[Tensor, "layer head"] | None = None
    """[layer head] standard error of the control, or None where it is not known."""
    texts: str = ""
    """What was measured on, in a few words; empty where the role's own words say it."""
    factors: Mapping[str, Float[Tensor, "layer head"]] = field(default_factory=dict)
    """{what: [layer head]} the factors of the score."""
    by_kind: Mapping[str, Float[Tensor, "layer head"]] = field(default_factory=dict)
    """{kind of text: [layer head]} the mean on each kind, for a role that is tried on several."""
    knock_out: Mapping[str, Float[Tensor, "layer head"]] = field(default_factory=dict)
    """{field of a listed head's record: [layer head]} what its own knock-out did; NaN: not run."""
    offsets: OffsetMeans | None = None
    """The whole profile, for a role whose heads each have a distance of their own."""


@dataclass(frozen=True, eq=False)
class Sequences:
    """A batch of token sequences of different lengths, padded on the right."""

    token_ids: Int[Tensor, "batch pos"]
    """[batch pos] ids; position 0 of every row is the BOS token or its stand-in."""
    lengths: Int[Tensor, " batch"]
    """[batch] true length of every row; the rest is padding that no number may depend on."""

    def __len__(self) -> int:
        return self.token_ids.shape[0]


CausalVerdict = Literal[
    "holds_up",
    "backed_up",
    "backup_untested",
    "reversed",
    "not_special",
    "no_effect",
    "cannot_tell",
    "not_tested",
]
BESIDE_CHANCE: dict[CausalVerdict, str] = {
    "holds_up": "larger than chance",
    "reversed": "better without",
    "not_special": "no larger than chance",
    "no_effect": "no effect",
    "not_tested": "too few draws to tell",
}
"""What the verdicts are called on any knock-out beside random others, where no role is involved."""
