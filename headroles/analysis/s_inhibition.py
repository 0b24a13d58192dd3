"""What heads do for the name movers, and what the name movers do for the answer: by knock-outs.

Both are knocked out at the last position alone, where an IOI prompt waits for the name. A head's
output there is set to its mean over the control prompts, in which no name is repeated: that leaves
whatever is the same in every such sentence, and takes away what only the repeated name brings
(Wang et al. 2022, arXiv 2211.00593, knock out by the same means).

    s_inhibition    With A the sum of the name movers' attention from the end, the right name's
                    share is r = A[IO] / (A[IO] + A[S1] + A[S2]). The score is how far r falls
                    without the head: above zero it keeps the name movers off the subject. Heads
                    that make name movers look at names in general do not show in it
    name_mover      how IO's logit changes without it, against the mean of the other names. Beside
                    it stands what the name mover adds itself, the direct effect of the output that
                    is taken away: what does not fall, other heads make up for. The change against
                    S alone is stored too

>>> shared_out = right_share(torch.tensor([[[0.5, 0.2, 0.1]]]))  # doctest: +SKIP
>>> round(float(shared_out), 3)  # doctest: +SKIP
0.625
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headroles.analysis import ioi
from headroles.analysis.direct import Direct, Seen
from headroles.analysis.last_position import LastPosition, Means, NoLastPassError
from headroles.analysis.setting import Setting, scores_over_texts
from headroles.scoring import (
    calibrate,
    key_value_index,
    mean_and_error,
    select_heads,
    through_norm,
)
from headroles.types import Head, RoleScores, Sequences

PROMPTS = 32
"""IOI prompts on which heads are knocked out."""

NO_MOVERS = "This model has no name movers that a head could keep off the subject."
NOTHING_BEFORE = "The name movers of this model lie in its first layer: no head comes before them."


def name_movers(scores: RoleScores) -> list[Head]:
    """Every head over the threshold of ``name_mover``, the strongest first."""
    chosen = select_heads(scores, calibrate(scores).value, cap=scores.mean.numel())
    return [candidate.head for candidate in chosen]


def right_share(attention: Float[Tensor, "*batch mover 3"]) -> Float[Tensor, "*batch"]:
    """The right name's share of the attention that the name movers give to the names.

    Args:
        attention: from the end to IO, S1 and S2, name mover by name mover.

    Returns:
        0..1; a third where the three places get the same.
    """
    total = attention.sum(-2)
    return total[..., 0] / total.sum(-1).clamp_min(1e-9)


class AtTheEnd:
    """The prompts or their control, with all that a knock-out at their end needs.

    Args:
        setting: the model.
        prompts: the names and their places.
        batch: the prompts or their control.
        movers: the name movers.

    Raises:
        NoLastPassError: if the model hands out no keys and values that a pass could go on from.
    """

    def __init__(
        self, setting: Setting, prompts: ioi.IoiPrompts, batch: Sequences, movers: Sequence[Head]
    ) -> None:
        self._setting, self._prompts, self._movers = setting, prompts, movers
        self._places = torch.stack([prompts.io_at, prompts.s1_at, prompts.s2_at], dim=-1)
        self.watch = sorted({head.layer for head in movers})
        self._groups = [
            (rows, LastPosition(setting.bridge, batch.token_ids[rows, :length]))
            for length, rows in _by_length(batch.lengths)
        ]
        self.means: Means = sum(end.outputs.sum(0) for _, end in self._groups) / prompts.n

    def check(self, means: Means) -> None:
        """Compare the first, a middle and the last layer's knock-outs with whole passes.

        Raises:
            NoLastPassError: if this model's passes cannot be cut in this way.
        """
        last = self.watch[-1]
        self._groups[0][1].check({0, last // 2, last}, means, watch=self.watch)

    def shares(
        self, means: Means
    ) -> tuple[Float[Tensor, "n mover 3"], Float[Tensor, "n layer head mover 3"]]:
        """The name movers' attention on IO, S1 and S2, untouched and without each head."""
        layers, heads = self._setting.shape
        plain = torch.zeros(self._prompts.n, len(self._movers), 3)
        for rows, end in self._groups:
            plain[rows] = self._attention(end.untouched.patterns, rows)[0]
        without = plain[:, None, None].repeat(1, layers, heads, 1, 1)
        for layer in range(layers):
            for rows, end in self._groups if layer < self.watch[-1] else ():
                for part in _parts([Head(layer, at) for at in range(heads)], end.at_once()):
                    seen = end.without(part, means, watch=self.watch).patterns
                    at = torch.tensor([head.head for head in part])
                    changed = self._attention(seen, rows).transpose(0, 1)  # [row condition ...]
                    without[rows[:, None], layer, at] = changed
            self._setting.advance("extended: knocking heads out", heads)
        return plain, without

    def _attention(
        self, patterns: dict[int, Tensor], rows: Int[Tensor, " row"]
    ) -> Float[Tensor, "condition row mover 3"]:
        at, places = torch.arange(len(rows))[:, None], self._places[rows]
        return torch.stack(
            [patterns[head.layer][:, at, head.head, places] for head in self._movers], dim=2
        )

    def logits(
        self, direct: Direct, means: Means
    ) -> tuple[Float[Tensor, "n two"], Float[Tensor, "n mover two"]]:
        """IO's logit less that of the other names and of S, untouched and without each mover."""
        plain = torch.zeros(self._prompts.n, 2)
        without = torch.zeros(self._prompts.n, len(self._movers), 2)
        for rows, end in self._groups:
            along = torch.stack([wanted[rows] for wanted in rivals(direct, self._prompts)], dim=-1)
            plain[rows] = torch.einsum("nm,nmt->nt", end.untouched.hidden[0], along)
            for place, mover in enumerate(self._movers):
                seen = end.without([mover], means, watch=self.watch, to_end=True)
                without[rows, place] = torch.einsum("nm,nmt->nt", seen.hidden[0], along)
        return plain, without


def rivals(
    direct: Direct, prompts: ioi.IoiPrompts
) -> tuple[Float[Tensor, "n model"], Float[Tensor, "n model"]]:
    """IO's unembedding less the mean of all other names', and less S's."""
    io = direct.unembed.T[prompts.io]
    others = (direct.unembed.T[prompts.names].sum(0) - io) / (len(prompts.names) - 1)
    return io - others, io - direct.unembed.T[prompts.subject]


def own_part(
    direct: Direct, prompts: ioi.IoiPrompts, movers: Sequence[Head], means: Means
) -> Float[Tensor, "n mover"]:
    """What each name mover itself adds to IO's logit over the other names, beyond its mean.

    It is the direct effect of the output that a knock-out takes away, the final norm frozen.
    """
    batch = prompts.prompts
    row, end = torch.arange(prompts.n), batch.lengths - 1
    wanted, _ = rivals(direct, prompts)
    wanted = through_norm(wanted, direct.final.gain, centers=direct.final.centers)
    own = torch.zeros(prompts.n, len(movers))

    def on_layer(layer: int, seen: Seen) -> None:
        index = key_value_index(seen.output.shape[0], seen.values.shape[2])
        along = seen.before(wanted)
        for place, mover in enumerate(movers):
            if mover.layer == layer:
                values = seen.values[:, :, index[mover.head]]  # [n key width]
                moved = torch.einsum("nk,nkw->nw", seen.pattern[row, mover.head, end], values)
                wrote = (moved - means[mover]) @ seen.output[mover.head]
                post = seen.post_scale
                scale = post[row, end] if isinstance(post, Tensor) else post
                own[:, place] = (wrote * along).sum(-1) / scale

    final, _ = direct.run(batch.token_ids, on_layer)
    return own / final[row, end].unsqueeze(-1)


def _by_length(lengths: Int[Tensor, " n"]) -> Iterator[tuple[int, Int[Tensor, " row"]]]:
    for length in lengths.unique().tolist():
        yield length, (lengths == length).nonzero().flatten()


def _parts(heads: list[Head], most: int) -> list[list[Head]]:
    """Parts of at most so many, about as long as each other."""
    size = -(-len(heads) // -(-len(heads) // most))
    return [heads[start : start + size] for start in range(0, len(heads), size)]


# ------------------------------------------------------------------ the two roles


def measure_by_knockouts(
    setting: Setting, direct: Direct, prompts: ioi.IoiPrompts, movers: RoleScores
) -> tuple[RoleScores | str, dict[str, Float[Tensor, "layer head"]]]:
    """``s_inhibition``, and what the name movers' own knock-outs do.

    Args:
        setting, direct: the model.
        prompts: the first :data:`PROMPTS` are used.
        movers: the scores of ``name_mover`` on all of them.

    Returns:
        The scores or why there are none as a sentence, and {field of KnockOut: [layer head]}, NaN
        where a head is no name mover.
    """
    heads = name_movers(movers)
    if not heads:
        return NO_MOVERS, {}
    few = prompts.first(PROMPTS)
    try:
        control = AtTheEnd(setting, few, few.control, heads)
        real = AtTheEnd(setting, few, few.prompts, heads)
        real.check(control.means)
    except NoLastPassError as error:
        return error.message, {}
    done = _knock_outs(setting, direct, few, heads, real=real, means=control.means)
    if real.watch[-1] == 0:
        return NOTHING_BEFORE, done
    plain, without = real.shares(control.means)
    same, other = control.shares(control.means)
    share = right_share(plain)
    return (
        scores_over_texts(
            "s_inhibition",
            share[:, None, None] - right_share(without),
            right_share(same)[:, None, None] - right_share(other),
            texts=f"IOI prompts; of {_whose(heads)} attention on the names, {share.mean():.0%} "
            f"goes to the right one, and {right_share(same).mean():.0%} where no name is repeated",
            factors={
                "A[IO] without it": _mean(without[..., 0]),
                "A[S1] + A[S2] without it": _mean(without[..., 1:].sum(-1)),
            },
        ),
        done,
    )


def _whose(movers: Sequence[Head]) -> str:
    return "the only name mover's" if len(movers) == 1 else f"the {len(movers)} name movers'"


def _mean(attention: Float[Tensor, "n layer head mover"]) -> Float[Tensor, "layer head"]:
    return attention.mean(-1).mean(0)


def _knock_outs(
    setting: Setting,
    direct: Direct,
    prompts: ioi.IoiPrompts,
    movers: Sequence[Head],
    *,
    real: AtTheEnd,
    means: Means,
) -> dict[str, Float[Tensor, "layer head"]]:
    """{field of KnockOut: [layer head]} of the name movers, NaN elsewhere."""
    plain, without = real.logits(direct, means)
    change, error = mean_and_error(without - plain.unsqueeze(1))  # [mover two]
    own, _ = mean_and_error(own_part(direct, prompts, movers, means))
    named = {
        "change": change[:, 0],
        "standard_error": error[:, 0],
        "direct": own,
        "lead_change": change[:, 1],
        "lead_error": error[:, 1],
    }
    placed = {name: torch.full(setting.shape, torch.nan) for name in named}
    for name, values in named.items():
        for mover, value in zip(movers, values, strict=True):
            placed[name][mover] = value
    return placed
