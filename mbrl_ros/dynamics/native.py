"""The ensemble as planning runs it where rollout.c is compiled: a whole horizon a call, on one or more threads."""

from __future__ import annotations

import ctypes
import functools
import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from mbrl_ros.compiled import NotCompiled, library
from mbrl_ros.dynamics.adjoint import DifferentiableRollout, NativeAdjoint
from mbrl_ros.dynamics.ensemble import Ensemble, each_motion
from mbrl_ros.dynamics.folded import FoldedEnsemble, folded

LIBRARY = "rollout"
REVISION, LANES, NEURONS = 3, 16, 4  # as in rollout.c
WORTH_WAKING = 20  # steps of 16 rows; fewer are done before another thread is awake
LOG2_E = 1.4426950408889634
PATHS = {"float32": ("avx512", "avx2", "plain"), "bf16": ("avx512_bf16",)}  # of rollout.c, the fastest first


class _Layer(ctypes.Structure):
    _fields_ = [
        ("inputs", ctypes.c_int64),
        ("outputs", ctypes.c_int64),
        ("weights", ctypes.c_void_p),
        ("biases", ctypes.c_void_p),
    ]


class _Model(ctypes.Structure):
    _fields_ = [
        ("states", ctypes.c_int64),
        ("actions", ctypes.c_int64),
        ("layers", ctypes.c_int64),
        ("path", ctypes.c_int64),
        ("mean", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("layer", ctypes.POINTER(_Layer)),
    ]


class _Question(ctypes.Structure):
    _fields_ = [
        ("members", ctypes.c_int64),
        ("batch", ctypes.c_int64),
        ("horizon", ctypes.c_int64),
        ("states", ctypes.c_void_p),
        ("state_strides", ctypes.c_int64 * 3),
        ("actions", ctypes.c_void_p),
        ("action_strides", ctypes.c_int64 * 4),
        ("out", ctypes.c_void_p),
        ("next", ctypes.c_int64),
        ("done", ctypes.c_int64),
    ]


@functools.cache
def _library() -> ctypes.CDLL:
    """The compiled rollout.c; NotCompiled where there is none that fits."""
    found = library(Path(__file__).resolve().parent, LIBRARY, REVISION)
    found.rollout_path.argtypes = [ctypes.c_char_p]
    found.rollout.argtypes = found.rollout_help.argtypes = [ctypes.POINTER(_Model), ctypes.POINTER(_Question)]
    return found


def paths(precision: str) -> tuple[str, ...]:
    """The ways through rollout.c that this processor can go, the fastest first; NotCompiled where it cannot be used."""
    if precision not in PATHS:
        raise ValueError(f"no precision {precision!r}; there are {', '.join(PATHS)}")
    return tuple(name for name in PATHS[precision] if _library().rollout_path(name.encode()) >= 0)


def why_not(precision: str) -> str | None:
    """Why NativeEnsemble cannot run here in this precision; None where it can."""
    try:
        return None if paths(precision) else f"this processor has none of {', '.join(PATHS[precision])}"
    except NotCompiled as error:
        return str(error)


@functools.cache
def _helpers(count: int) -> ThreadPoolExecutor:
    """Kept for the life of the process: models come and go."""
    return ThreadPoolExecutor(count, thread_name_prefix="rollout")


class NativeEnsemble:
    """Same `rollout` as Ensemble, on the CPU; differentiable. Never changes: another version is another object."""

    def __init__(self, model: Ensemble, precision: str = "bf16", threads: int = 1, path: str | None = None):
        """`path`: a slower one than the processor could go."""
        if reason := why_not(precision):
            raise NotCompiled(reason)
        self.members, self.precision, self.threads = model.members, precision, threads
        self.path = path or paths(precision)[0]
        if self.path not in paths(precision):
            raise ValueError(f"no path {path!r} for {precision} here; there are {', '.join(paths(precision))}")
        self._model = _packed(model, self.path)
        self.weights, self.biases = folded(model)
        self._adjoint = NativeAdjoint(self.weights, self.biases, _library())

    def differentiable_rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """As `rollout`; autograd finds the way back to the targets."""
        told = each_motion(actions, self._model.actions)
        return DifferentiableRollout.apply(states, told, self.rollout, self._adjoint)

    @torch.no_grad()
    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """States (E, B, S) and targets (E, B, H, A) in physical units -> the states that follow (E, B, H, S).

        Any strides are taken. What comes back is a view of (E, H, S, B): values of one feature lie side by side.
        """
        actions = each_motion(actions, self._model.actions)
        members, batch, horizon, _ = actions.shape
        size = self._model.states
        if members != self.members or actions.shape[3] != self._model.actions or states.shape[-1] != size:
            raise ValueError(
                f"states {tuple(states.shape)} and targets {tuple(actions.shape)} do not fit a model of "
                f"{self.members} members, {size} state features and {self._model.actions} actions"
            )
        states, actions = states.float().expand(members, batch, size), actions.float()
        out = torch.empty(members, horizon, size, -(-batch // LANES) * LANES)
        if out.numel():
            known = (members, batch, horizon, states.data_ptr(), states.stride(), actions.data_ptr(), actions.stride())
            question = _Question(*known, out.data_ptr())
            question.kept = states, actions, out  # as long as any thread has the question
            self._answer(question)
        return out[..., :batch].permute(0, 3, 1, 2)

    def _answer(self, question: _Question) -> None:
        """All threads take blocks of rows until none is left; a helper that wakes up too late finds none."""
        arguments = ctypes.byref(self._model), ctypes.byref(question)
        if question.members * question.horizon * -(-question.batch // LANES) > WORTH_WAKING:
            for _ in range(self.threads - 1):
                _helpers(self.threads - 1).submit(_library().rollout_help, *arguments)
        if _library().rollout(*arguments):
            raise MemoryError("no memory for a rollout")


def planning_model(model, precision: str = "auto", threads: int = 1):
    """The fastest form of an ensemble that this machine can run; NotCompiled where bf16 is asked for and cannot be had.
    A model of another kind as it is: it has one form, in torch."""
    if not isinstance(model, Ensemble):
        return model
    if precision == "bf16" or (precision == "auto" and not why_not("bf16")):
        return NativeEnsemble(model, "bf16", threads)
    # Four lanes without fused multiply-add, as of old x86, are less than torch makes of them.
    if not why_not("float32") and (paths("float32")[0] != "plain" or platform.machine() != "x86_64"):
        return NativeEnsemble(model, "float32", threads)
    return FoldedEnsemble(model)


def torch_threads(precision: str, threads: int) -> int:
    """For torch's own operations in a plan, of `threads` in all.

    rollout.c has threads of its own. Torch's meet at the end of every small operation, and wait there for a busy core.
    """
    return threads if why_not("float32" if precision == "auto" else precision) else 1


@torch.no_grad()
def _packed(model: Ensemble, path: str) -> _Model:
    """The model as rollout.c wants it."""
    n, members = model.normaliser, model.members
    mean = torch.cat([n.state_mean, model.action_offset]).float().contiguous()
    scale = 1 / torch.cat([n.state_std, model.action_scale]).float()
    last = len(model.weights) - 1
    layers, kept = (_Layer * len(model.weights))(), [mean, scale]
    inputs = model.weights[0].shape[1]
    inputs += inputs % 2
    for i, (weight, bias) in enumerate(zip(model.weights, model.biases, strict=True)):
        weight, bias = weight.detach().double(), bias.detach().double()
        # The silu of rollout.c takes -log2(e) u and gives -log2(e) silu(u): hidden layers meet in the same unit.
        if i == 0:
            weight = weight * -LOG2_E
        if i == last:
            weight, bias = weight / -LOG2_E * n.step_std, bias * n.step_std + n.step_mean
        else:
            bias = bias * -LOG2_E
        outputs = -(-weight.shape[2] // NEURONS) * NEURONS
        weight = F.pad(weight, (0, outputs - weight.shape[2], 0, inputs - weight.shape[1]))
        bias = F.pad(bias[:, 0], (0, outputs - bias.shape[2])).float().contiguous()
        tiles = weight.view(members, inputs // 2, 2, outputs // NEURONS, NEURONS)
        if path.endswith("bf16"):
            tiles = tiles.permute(0, 3, 1, 4, 2).to(torch.bfloat16).contiguous()  # two inputs of a neuron in 32 bits
        else:
            tiles = tiles.permute(0, 3, 1, 2, 4).float().contiguous()
        layers[i] = _Layer(inputs, outputs, tiles.data_ptr(), bias.data_ptr())
        kept += [tiles, bias]
        inputs = outputs
    sizes = len(n.state_mean), len(model.action_offset), len(layers), _library().rollout_path(path.encode())
    packed = _Model(*sizes, mean.data_ptr(), scale.data_ptr(), layers)
    packed.kept = layers, kept  # what the addresses point to
    return packed
