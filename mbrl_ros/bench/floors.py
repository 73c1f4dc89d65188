"""How fast a rollout could be on this machine: what nothing but its matmuls and activations costs.

    measured    the matmuls of these shapes by the fastest library at hand, one after the other, plus the activations
    arithmetic  floating-point operations of the matmuls, over the rate that a large square matmul reaches
    bytes       what has to be read and written once, over the rate at which memory is copied

All in the precision of the rollout that they are held against; where that is bf16, float32 counts too if it is faster.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.bench.timing import Parts

MATMUL, ACTIVATION = "matmul: ", "activation: "  # what the names of the measured parts begin with
SQUARE = 1024  # side of the matmul that a rate is taken from
TRIES = 20
COPIED = 64 * 2**20  # bytes, more than caches hold
DTYPES = {"float32": (torch.float32,), "bf16": (torch.float32, torch.bfloat16)}


@dataclass(frozen=True)
class Network:
    """What a rollout's cost depends on: (in, out) of each layer, and how often each is run."""

    layers: tuple[tuple[int, int], ...]
    members: int
    rows: int  # rollouts through each member
    horizon: int
    actions: int

    @property
    def operations(self) -> int:
        """Of all matmuls, floating-point; a multiplication and an addition are two."""
        return 2 * self.members * self.rows * self.horizon * sum(inputs * outputs for inputs, outputs in self.layers)

    def bytes(self, weight: int) -> int:
        """Weights of `weight` bytes, targets and first states in, states out; all but the weights in float32."""
        states = self.layers[-1][1]
        weights = weight * self.members * sum((inputs + 1) * outputs for inputs, outputs in self.layers)
        return weights + 4 * self.members * self.rows * (states + self.horizon * (self.actions + states))


@dataclass(frozen=True)
class Rates:
    """Of this machine with so many threads."""

    operations: float  # a second
    bytes: float  # a second, read and written


@dataclass(frozen=True)
class Floor:
    """In ms, and by which library."""

    matmul: float
    matmul_by: str
    activation: float
    activation_by: str
    arithmetic: float
    bytes: float

    @property
    def measured(self) -> float:
        return self.matmul + self.activation


def floor(network: Network, precision: str, rates: Rates, p50: Mapping[str, float]) -> Floor:
    """From what the parts of `contenders` took, by name, in ms; other parts are passed over."""
    by, activation_by = (
        min((name for name in p50 if name.startswith(kind)), key=p50.__getitem__) for kind in (MATMUL, ACTIVATION)
    )
    return Floor(
        matmul=p50[by],
        matmul_by=by.removeprefix(MATMUL),
        activation=p50[activation_by],
        activation_by=activation_by.removeprefix(ACTIVATION),
        arithmetic=1e3 * network.operations / rates.operations,
        bytes=1e3 * network.bytes(2 if precision == "bf16" else 4) / rates.bytes,
    )


def contenders(network: Network, precision: str) -> Parts:
    """What `floor` chooses from, by torch; a step's matmuls depend on the step before, so steps are not merged."""
    parts = {}
    for dtype in DTYPES[precision]:
        name = f"torch {str(dtype).removeprefix('torch.')}"
        parts[MATMUL + name] = _matmuls(network, dtype)
        parts[ACTIVATION + name] = _activations(network, dtype)
    return parts


def _matmuls(network: Network, dtype: torch.dtype) -> Callable[[], None]:
    shape = (network.members, network.rows)
    work = [
        (
            torch.randn(*shape, inputs).to(dtype),
            torch.randn(network.members, inputs, outputs).to(dtype),
            torch.empty(*shape, outputs, dtype=dtype),
        )
        for inputs, outputs in network.layers
    ]

    def run() -> None:
        for _ in range(network.horizon):
            for values, weights, out in work:
                torch.bmm(values, weights, out=out)

    return run


def _activations(network: Network, dtype: torch.dtype) -> Callable[[], None]:
    hidden = [torch.randn(network.members, network.rows, outputs).to(dtype) for _, outputs in network.layers[:-1]]
    into = [torch.empty_like(values) for values in hidden]

    def run() -> None:
        for _ in range(network.horizon):
            for values, out in zip(hidden, into, strict=True):
                torch.ops.aten.silu.out(values, out=out)

    return run


@functools.cache
def rates(precision: str, threads: int) -> Rates:
    """With as many threads as torch has now; the best of several tries, because a floor is what could be."""
    assert torch.get_num_threads() == threads
    source = torch.zeros(COPIED // 4)
    target = torch.empty_like(source)
    return Rates(
        operations=2 * SQUARE**3 / min(_least(_square(dtype)) for dtype in DTYPES[precision]),
        bytes=2 * COPIED / _least(lambda: target.copy_(source)),
    )


def _square(dtype: torch.dtype) -> Callable[[], Tensor]:
    values = torch.randn(SQUARE, SQUARE).to(dtype)
    out = torch.empty_like(values)
    return lambda: torch.mm(values, values, out=out)


def _least(call: Callable[[], object]) -> float:
    """Seconds."""
    took = []
    for _ in range(TRIES):
        began = time.perf_counter()
        call()
        took.append(time.perf_counter() - began)
    return min(took)
