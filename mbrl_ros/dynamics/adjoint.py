"""A rollout that can be differentiated: forward by whatever is fastest, backward by hand, in C where it is compiled.

The way back needs the slope of every hidden unit at every step, which follows from the states of the way forward.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

LANES = 16  # as in adjoint.c


class _Layer(ctypes.Structure):
    _fields_ = [
        ("inputs", ctypes.c_int64),
        ("outputs", ctypes.c_int64),
        ("weights", ctypes.c_void_p),
        ("back", ctypes.c_void_p),
        ("biases", ctypes.c_void_p),
    ]


class _Question(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in ("members", "batch", "horizon", "states", "actions", "layers")),
        ("layer", ctypes.POINTER(_Layer)),
        *((name, ctypes.c_void_p) for name in ("before", "told", "gradient", "out")),
    ]


class TorchAdjoint:
    """Of an ensemble with the units folded into its weights (E, in, out) and biases (E, 1, out)."""

    def __init__(self, weights: list[Tensor], biases: list[Tensor]):
        self._weights, self._biases = weights, biases
        self._back = [w.transpose(1, 2).contiguous() for w in weights]

    def pull_back(self, before: Tensor, actions: Tensor, gradient: Tensor) -> Tensor:
        """d/d targets (E, B, H, A) of what has this `gradient` (E, B, H, S) by the states after each step.

        `before` (E, B, H, S) are the states before each step. All slopes are computed at once; only the product of the
        steps' Jacobians with the gradient goes from step to step.
        """
        size, slopes = before.shape[-1], self._slopes(before, actions)
        out, upstream = torch.empty_like(actions), torch.zeros_like(gradient[:, :, 0])
        for step in range(actions.shape[2] - 1, -1, -1):
            upstream = upstream + gradient[:, :, step]
            g = torch.bmm(upstream, self._back[-1])
            for slope, back in zip(slopes[::-1], self._back[-2::-1], strict=True):
                g = torch.bmm(g * slope[:, :, step], back)
            upstream = upstream + g[..., :size]
            out[:, :, step] = g[..., size:]
        return out

    def _slopes(self, before: Tensor, actions: Tensor) -> list[Tensor]:
        """Of each hidden layer (E, B, H, width)."""
        h, slopes = torch.cat([before, actions], -1), []
        shape = h.shape[:-1]
        for weight, bias in zip(self._weights[:-1], self._biases[:-1], strict=True):
            u = torch.baddbmm(bias, h.flatten(1, 2), weight)
            s = torch.sigmoid(u)
            h = u * s
            slopes.append((s + h * (1 - s)).view(*shape, -1))
            h = h.view(*shape, -1)
        return slopes


class NativeAdjoint:
    """The same by adjoint.c, which is part of `library`."""

    def __init__(self, weights: list[Tensor], biases: list[Tensor], library: ctypes.CDLL):
        library.pull_back.argtypes = [ctypes.POINTER(_Question)]
        self._pull_back, self._layers, self._kept = library.pull_back, (_Layer * len(weights))(), []
        self._shape = weights[0].shape[:2]  # members, inputs
        for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            _, inputs, outputs = weight.shape
            weight = F.pad(weight, (0, -outputs % LANES, 0, -inputs % LANES)).contiguous()
            bias = F.pad(bias[:, 0], (0, -outputs % LANES)).contiguous()
            back = weight.transpose(1, 2).contiguous()
            self._layers[i] = _Layer(*weight.shape[1:], weight.data_ptr(), back.data_ptr(), bias.data_ptr())
            self._kept += [weight, back, bias]

    def pull_back(self, before: Tensor, actions: Tensor, gradient: Tensor) -> Tensor:
        before, actions, gradient = (t.float().contiguous() for t in (before, actions, gradient))
        if (before.shape[0], before.shape[-1] + actions.shape[-1]) != self._shape or gradient.shape != before.shape:
            raise ValueError(f"states {tuple(before.shape)} and targets {tuple(actions.shape)} are not of this model")
        out, shape = torch.empty_like(actions), (*actions.shape[:3], before.shape[-1], actions.shape[-1])
        addresses = (t.data_ptr() for t in (before, actions, gradient, out))
        if self._pull_back(_Question(*shape, len(self._layers), self._layers, *addresses)):
            raise MemoryError("no memory for a gradient")
        return out


class DifferentiableRollout(torch.autograd.Function):
    """What `forward` makes of states (E, B, S) and targets (E, B, H, A), differentiable by the targets alone."""

    @staticmethod
    def forward(ctx, states: Tensor, actions: Tensor, rollout: Callable[[Tensor, Tensor], Tensor], adjoint) -> Tensor:
        after = rollout(states, actions)
        before = torch.cat([states.expand_as(after[:, :, 0])[:, :, None], after[:, :, :-1]], 2)
        ctx.save_for_backward(before, actions)
        ctx.adjoint = adjoint
        return after

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return None, ctx.adjoint.pull_back(*ctx.saved_tensors, gradient), None, None
