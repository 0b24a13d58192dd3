"""What a layer's attention really adds to the end of the residual stream, found by trying.

Families multiply it on its way (Granite by .22), norm it once more (Gemma 2, OLMo 2), scale each
layer's output (Gemma 4), or norm the stream itself (OPT-350M). No name tells which. So the tokens
of a pass are run once more with every module frozen: it gives what it gave before, but for norms of
the attention's output alone, which keep their scale. One row's output projection is moved, another
row's residual stream is moved before each layer, and what arrives behind the layer is compared:

    moved by d at the projection    behind the layer  c d        (behind a norm, c gain P d / scale)
    moved by d before the layer     behind the layer  s d        s is 1 in most families

A head of layer l then adds ``c[l] s[l + 1] ... s[last]`` times what it writes. A model in which the
moves arrive as anything else is refused.

>>> writings(stack, {0: projection}, calls, run)[0].factor  # doctest: +SKIP
0.22
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from headroles.circuits.parts import Mlp, Norm, Writing, as_norm
from headroles.circuits.tracing import Call, same
from headroles.errors import HeadrolesError, ours

_STREAM, _PROJECTION = 1, 2
"""The rows that are moved before each layer and at its projection; row 0 must stay as it was."""


class StreamError(HeadrolesError):
    """What heads write cannot be followed to the end of the residual stream."""


def writings(
    stack: Sequence[nn.Module],
    outputs: Mapping[int, nn.Module],
    calls: Sequence[Call],
    run: Callable[[], object],
) -> dict[int, Writing]:
    """Follow each layer's writing to the end of the stream.

    Args:
        stack: every block of the model, in order, those without attention too.
        outputs: {place in the stack: the output projection of its attention}.
        calls: what every module was given and gave in a pass over three rows or more.
        run: does that pass again.

    Raises:
        StreamError: if a layer's writing does not arrive by a fixed factor.
    """
    with torch.no_grad(), ours(_cannot_be_frozen):
        frozen = _Frozen(stack, outputs, calls)
        try:
            frozen.hang()
            run()
        finally:
            frozen.unhang()
        carried: Float[Tensor, " d_model"] | float = 1.0
        found = {}
        for place in reversed(range(len(stack))):
            if place in outputs:
                one = frozen.projection(place)
                found[place] = replace(one, factor=_tidy(one.factor * carried), carried=carried)
            carried = _tidy(frozen.stream(place) * carried)
            if place in found:
                found[place] = replace(found[place], carried_in=carried)
    return dict(sorted(found.items()))


def mlps(
    stack: Sequence[nn.Module],
    outputs: Mapping[int, nn.Module],
    calls: Sequence[Call],
    found: Mapping[int, Writing],
) -> dict[int, Mlp]:
    """Find the module that gives all that a layer adds to the stream besides its attention.

    Of a layer's change what its attention wrote is taken away; the module is the last one whose
    result, times one factor, is what is left.

    Args:
        stack: every block of the model, in order.
        outputs: {place in the stack: the output projection of its attention}.
        calls: what every module was given and gave in a pass.
        found: what :func:`writings` found.
    """
    known: dict[nn.Module, list[Call]] = defaultdict(list)
    for call in calls:
        known[call.module].append(call)
    return {
        place: _mlp(stack[place], known, known[writing.norm_module or outputs[place]][0], writing)
        for place, writing in found.items()
    }


def _mlp(
    block: nn.Module, known: Mapping[nn.Module, list[Call]], wrote: Call, writing: Writing
) -> Mlp:
    (layer,) = known[block]
    whole = layer.result.float()
    passed = layer.given.float() * (writing.carried_in / writing.carried)
    attention = wrote.result.float().reshape(whole.shape) * (writing.factor / writing.carried)
    left = whole - passed - attention
    slack = 1e-6 * float(whole.abs().max())
    if bool((left.abs() <= slack).all()):
        return Mlp(None, 0.0)
    inside = [known[module][0] for module in block.modules() if len(known.get(module, ())) == 1]
    for call in sorted(inside, key=lambda call: call.turn, reverse=True):
        if call.module is block or call.result.numel() != left.numel():
            continue
        factor = _ratio(left, call.result.float().reshape(left.shape), slack)
        if factor is not None:
            return Mlp(call.module, _tidy(factor * writing.carried))
    return Mlp(None, writing.carried)


def _ratio(left: Tensor, result: Tensor, slack: float) -> Float[Tensor, " d_model"] | float | None:
    """``left / result``, if that is one number or one a component, and not 0; else None."""
    for dims in ((0, 1, 2), (0, 1)):
        factor = (left * result).sum(dims) / result.square().sum(dims).clamp(min=1e-30)
        close = (left - factor * result).abs() <= 2e-5 * left.abs().max() + slack
        if bool(close.all()) and bool((factor.abs() > 1e-6).all()):
            return float(factor) if factor.ndim == 0 else factor
    return None


def _cannot_be_frozen(error: BaseException) -> StreamError:
    return _not_carried("its layers cannot be run once more with their modules frozen.")


class _Frozen:
    """The second pass: what stays as it was, what is moved, and what arrives."""

    def __init__(
        self, stack: Sequence[nn.Module], outputs: Mapping[int, nn.Module], calls: Sequence[Call]
    ) -> None:
        self._known: dict[nn.Module, list[Call]] = defaultdict(list)
        for call in calls:
            self._known[call.module].append(call)
        self._stack, self._outputs = stack, outputs
        self._once = [self._only(block) for block in stack]
        for before, after in zip(self._once, self._once[1:], strict=False):
            if not same(after.given, before.result):
                raise _not_carried("something changes its residual stream between two layers.")
        self._norms: dict[nn.Module, Norm] = {}
        self._free: set[nn.Module] = set()
        """The modules that read the attention's output alone."""
        self._behind = {place: self._behind_projection(place) for place in outputs}
        self._moves = [_move(call) for call in self._once]
        self._arrived: dict[nn.Module, Tensor] = {}
        self._turn: dict[nn.Module, int] = defaultdict(int)
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []

    def _only(self, module: nn.Module) -> Call:
        calls = self._known[module]
        if len(calls) != 1:
            raise _not_carried("a layer of it is not run exactly once.")
        (call,) = calls
        if call.given.ndim != 3 and module in self._stack:
            raise _not_carried("its layers hand on more than one residual stream.")
        return call

    def _behind_projection(self, place: int) -> Norm | None:
        """The norm of a layer's attention output; whatever else reads it alone runs as it is."""
        inside = set(self._stack[place].modules())
        written = self._only(self._outputs[place])
        plain, normed, found = [written.result], [], None
        calls = [call for known in self._known.values() for call in known if call.module in inside]
        after = sorted(calls, key=lambda call: call.turn)
        for call in after[after.index(written) + 1 :]:
            if not any(same(_flat(call.given), _flat(seen)) for seen in (*plain, *normed)):
                continue
            if _is_identity(call):
                continue
            norm = as_norm(call) if any(same(call.given, seen) for seen in plain) else None
            if norm is None:
                self._free.add(call.module)
                plain.append(call.result)
            else:
                self._norms[call.module], found = norm, norm
                normed.append(call.result)
        return found

    def hang(self) -> None:
        """Put the hooks in place."""
        for place, block in enumerate(self._stack):
            self._hooks.append(
                block.register_forward_pre_hook(self._move_stream(place), with_kwargs=True)
            )
            for module in block.modules():
                if type(module) is nn.Linear:  # most of the work, and its result is known
                    self._hooks.append(_Answering(module, self._known.get(module, [])))
                self._hooks.append(module.register_forward_hook(self._keep, with_kwargs=True))
            self._hooks.append(block.register_forward_hook(self._arrive))

    def unhang(self) -> None:
        """Take the hooks away."""
        for hook in self._hooks:
            hook.remove()

    def _move_stream(self, place: int) -> Callable[..., tuple[tuple, dict]]:
        given = self._once[place].given.clone()
        given[_STREAM] += self._moves[place].to(given.dtype)

        def hook(_block: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
            if "hidden_states" in kwargs:
                return args, {**kwargs, "hidden_states": given}
            return (given, *args[1:]), kwargs

        return hook

    def _keep(self, module: nn.Module, args: tuple, kwargs: dict, output: object) -> object:
        turn, known = self._turn[module], self._known.get(module, [])
        self._turn[module] += 1
        if turn >= len(known) or module in self._free:
            return output
        call = known[turn]
        place = next((at for at, one in self._outputs.items() if one is module), None)
        if place is not None:
            return _replaced(output, self._moved(place, call))
        if module in self._norms:
            given = next(value for value in (*args, *kwargs.values()) if isinstance(value, Tensor))
            change = _frozen_norm(self._norms[module], given - call.given, call.given)
            return _replaced(output, call.result + change.to(call.result.dtype))
        if next(module.children(), None) is None and not _is_identity(call):
            return _replaced(output, call.result)
        return output

    def _moved(self, place: int, call: Call) -> Tensor:
        rows = call.result.clone().reshape(len(self._once[place].given), -1, call.result.shape[-1])
        rows[_PROJECTION] += self._moves[place].to(rows.dtype)
        return rows.reshape(call.result.shape)

    def _arrive(self, block: nn.Module, _args: object, output: object) -> None:
        self._arrived[block] = output[0] if isinstance(output, tuple | list) else output

    def _change(self, place: int, row: int) -> Tensor:
        """[pos d_model] what arrived behind a layer beyond what was there before."""
        call, arrived = self._once[place], self._arrived[self._stack[place]]
        if arrived.shape != call.result.shape or not same(arrived[0], call.result[0]):
            raise _not_carried("its layers do more than their modules show.")
        return (arrived[row] - call.result[row]).float()

    def projection(self, place: int) -> Writing:
        """What arrives behind a layer of what its own attention writes."""
        norm, call = self._behind[place], self._once[place]
        moved, module = self._moves[place], None
        if norm is not None:
            module = next(module for module, one in self._norms.items() if one is norm)
            given = self._known[module][0].given
            moved = _frozen_norm(norm, moved, given.reshape(call.result.shape)[_PROJECTION])
        return Writing(
            _factor(self._change(place, _PROJECTION), moved, call, whole=norm is not None),
            norm,
            module,
        )

    def stream(self, place: int) -> Float[Tensor, " d_model"] | float:
        """What arrives behind a layer of what was in the stream before it."""
        return _factor(self._change(place, _STREAM), self._moves[place], self._once[place])


class _Answering:
    """A linear module that gives what it gave before without working it out again."""

    def __init__(self, module: nn.Module, known: Sequence[Call]) -> None:
        self._module, left = module, iter([call.result for call in known])
        if known:
            module.__dict__["forward"] = lambda *_args, **_settings: next(left)

    def remove(self) -> None:
        self._module.__dict__.pop("forward", None)


def _move(call: Call) -> Float[Tensor, "pos d_model"]:
    """A move as large as what it is added to: rounding then is small beside it."""
    size = call.result[0].float().abs()
    sign = torch.rand(size.shape, generator=torch.Generator().manual_seed(0)).sub(0.5).sign()
    return sign * size.clamp(min=float(size.mean()))


def _factor(
    change: Float[Tensor, "pos d_model"],
    moved: Float[Tensor, "pos d_model"],
    call: Call,
    *,
    whole: bool = False,
) -> Float[Tensor, " d_model"] | float:
    """``change / moved``: one number, or one a component unless it must be the ``whole``.

    Raises:
        StreamError: if it differs from position to position, or nothing arrives.
    """
    precision = torch.finfo(call.result.dtype).eps
    slack = 4 * precision * call.result[0].float().abs() + 1e-12
    for dims in ((0, 1), (0,))[: 1 if whole else 2]:
        factor = (change * moved).sum(dims) / moved.square().sum(dims)
        left = (change - factor * moved).abs()
        if bool((left <= max(1e-3, 4 * precision) * (factor * moved).abs() + slack).all()):
            if not bool((factor.abs() > 1e-6).all()):
                raise _not_carried("each of its layers norms the residual stream itself.")
            return float(factor) if factor.ndim == 0 else factor
    raise _not_carried("what it adds is not a fixed multiple of what its attention writes.")


def _tidy(factor: Float[Tensor, " d_model"] | float) -> Float[Tensor, " d_model"] | float:
    """1 where rounding alone keeps it from 1."""
    return 1.0 if isinstance(factor, float) and abs(factor - 1) < 1e-4 else factor


def _frozen_norm(norm: Norm, x: Tensor, seen: Tensor) -> Tensor:
    """What a norm makes of a change, dividing by what it divided by in the pass."""
    seen = seen.float()
    seen = seen - seen.mean(-1, keepdim=True) if norm.kind == "LayerNorm" else seen
    return norm.fold(x.float()) * torch.rsqrt(seen.square().mean(-1, keepdim=True) + norm.eps)


def _is_identity(call: Call) -> bool:
    return call.given.shape == call.result.shape and torch.equal(call.given, call.result)


def _flat(x: Tensor) -> Tensor:
    return x.reshape(-1)


def _replaced(output: object, first: Tensor) -> object:
    """A module's output with another first tensor."""
    if isinstance(output, Tensor):
        return first.reshape(output.shape)
    return type(output)((first, *output[1:])) if isinstance(output, tuple | list) else output


def _not_carried(why: str) -> StreamError:
    return StreamError(
        "What a head of this model adds to the end of the residual stream cannot be told, for "
        f"{why}"
    )
