"""The gait map where gait.c is compiled: the same targets as gait.py, ten times as fast."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import torch
from torch import Tensor

from mbrl_ros import compiled

LIBRARY = "gait"
REVISION, LANES, MOST_LEGS = 1, 16, 8  # as in gait.c
SMALL = 2e-3  # of a decision: the curve is 0.1% off a straight line there, and so is float32


class _Leg(ctypes.Structure):
    _fields_ = [
        ("offset", ctypes.c_float),
        ("foot", ctypes.c_float * 3),
        ("arm", ctypes.c_float * 2),
        ("side", ctypes.c_float),
        ("compliance", ctypes.c_float * 3),
        ("low", ctypes.c_float * 3),
        ("high", ctypes.c_float * 3),
        ("joint", ctypes.c_int64 * 3),
    ]


class _Map(ctypes.Structure):
    _fields_ = [
        ("legs", ctypes.c_int64),
        ("joints", ctypes.c_int64),
        ("duty", ctypes.c_float),
        ("lead", ctypes.c_float),
        ("hold", ctypes.c_float),
        ("thigh", ctypes.c_float),
        ("calf", ctypes.c_float),
        ("weight", ctypes.c_float),
        ("contact_lift", ctypes.c_float),
        ("unit", ctypes.c_void_p),
        ("leg", ctypes.POINTER(_Leg)),
    ]


@functools.cache
def library() -> ctypes.CDLL:
    """The compiled gait.c; NotCompiled where there is none that fits."""
    found = compiled.library(Path(__file__).resolve().parent, LIBRARY, REVISION)
    address, whole = ctypes.c_void_p, ctypes.c_int64
    found.gait_decode.argtypes = [
        ctypes.POINTER(_Map), whole, whole, address, whole, whole, address, whole, address
    ]  # fmt: skip
    found.gait_decode.restype = None
    return found


def why_not() -> str | None:
    """Why NativeGait cannot run here; None where it can."""
    try:
        library()
    except compiled.NotCompiled as error:
        return str(error)
    return None


class NativeGait:
    """Decisions (N, H, U) and phase (H,) -> targets (N, H, A), a view of (H, A, N): candidates lie side by side."""

    def __init__(self, unit: Tensor, legs: list[dict], targets: int, **numbers: float):
        """`unit` (U,); a mapping of _Leg's fields for each leg; the numbers that _Map has."""
        each = (_Leg * len(legs))()
        for leg, fields in zip(each, legs, strict=True):
            for name, value in fields.items():
                field = getattr(leg, name)
                setattr(leg, name, type(field)(*value) if isinstance(field, ctypes.Array) else value)
        self._map = _Map(legs=len(legs), joints=targets, unit=unit.data_ptr(), leg=each, **numbers)
        self._kept, self._decode = (unit, each), library().gait_decode
        self._size = targets

    def decode(self, decisions: Tensor, phase: Tensor) -> Tensor:
        """Differentiable by the decisions, if they ask for it."""
        return _Decode.apply(decisions, phase, self) if decisions.requires_grad else self._targets_of(decisions, phase)

    def pull_back(self, decisions: Tensor, phase: Tensor, gradient: Tensor) -> Tensor:
        """d/d decisions (N, H, U) of what has this `gradient` (N, H, A) by the targets, from small differences.

        A step's targets depend on that step's decisions alone, so each variable is moved at all steps at once.
        """
        count, _, size = decisions.shape
        moved = decisions.repeat(size + 1, 1, 1).unflatten(0, (size + 1, count))
        moved[torch.arange(size), :, :, torch.arange(size)] += SMALL
        targets = self._targets_of(moved.flatten(0, 1), phase).unflatten(0, (size + 1, count))
        return torch.einsum("unha,nha->nhu", targets[:-1] - targets[-1], gradient) / SMALL

    def _targets_of(self, decisions: Tensor, phase: Tensor) -> Tensor:
        count, horizon, size = decisions.shape
        if size != len(self._kept[0]):
            raise ValueError(f"decisions of {size} variables for a gait of {len(self._kept[0])}")
        decisions = decisions if decisions.stride(2) == 1 else decisions.contiguous()
        phase = phase.float().expand(horizon).contiguous()
        rows = -(-count // LANES) * LANES
        out = torch.empty(horizon, self._size, rows)
        apart, step, _ = decisions.stride()
        addresses = decisions.data_ptr(), phase.data_ptr(), out.data_ptr()
        self._decode(self._map, count, horizon, addresses[0], apart, step, addresses[1], rows, addresses[2])
        return out[..., :count].permute(2, 0, 1)


class _Decode(torch.autograd.Function):
    @staticmethod
    def forward(ctx, decisions: Tensor, phase: Tensor, gait: NativeGait) -> Tensor:
        ctx.save_for_backward(decisions, phase)
        ctx.gait = gait
        return gait._targets_of(decisions, phase)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return ctx.gait.pull_back(*ctx.saved_tensors, gradient), None, None
