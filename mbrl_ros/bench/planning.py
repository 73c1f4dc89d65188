"""`mbrl bench plan`: what one plan costs, beside pytorch_mppi at the same work and beside the floor of its rollout."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch

from mbrl_ros.bench import contenders, floors
from mbrl_ros.bench.contenders import OURS, PEER, ROLLOUT
from mbrl_ros.bench.floors import Floor, Network
from mbrl_ros.bench.grid import Shape, of_shape
from mbrl_ros.bench.timing import Ratio, Times, interleaved
from mbrl_ros.bench.work import Work, prepare
from mbrl_ros.runs import RunConfig

SECONDS, OTHER_SECONDS = 4.0, 1.5  # of measuring at most: what matters; parts and variants
OTHER_ROUNDS = 3


@dataclass(frozen=True)
class PlanRow:
    """One shape with one number of threads. Times in ms, the median where no percentile is in the name."""

    comparison: str
    N: int  # rollouts in all
    H: int  # steps
    M: int  # members
    width: int
    threads: int
    device: str  # cpu, or cuda once the planner can plan there
    path: str  # the rollout that the planner uses here
    precision: str
    calls: int
    ours_ms: float  # the whole plan: noise, action map, rollout, score, weights
    ours_p95_ms: float
    ours_p99_ms: float
    ours_max_ms: float
    peer_ms: float | None  # pytorch_mppi at the same work; None where it is not installed
    peer_p95_ms: float | None
    peer_p99_ms: float | None
    peer_max_ms: float | None
    speedup: float | None  # peer_ms / ours_ms
    speedup_low: float | None  # least and most among the rounds
    speedup_high: float | None
    rollout_ms: float
    rollout_p95_ms: float
    rollout_p99_ms: float
    rollout_max_ms: float
    floor_ms: float  # the matmuls of these shapes by the fastest library at hand, plus the activations
    floor_matmul_ms: float
    floor_matmul_by: str
    floor_activation_ms: float
    floor_activation_by: str
    arithmetic_ms: float  # floating-point operations over the rate of a large matmul
    bytes_ms: float  # what is read and written once, over the rate of a large copy
    rollout_over_floor: float
    rollout_over_floor_low: float
    rollout_over_floor_high: float
    parts: dict[str, float]  # of the whole plan, each alone
    variants: dict[str, float]  # other ways to the same rollout and plan, which the planner does not go


def bench_shape(run: RunConfig, shape: Shape, threads: int, rounds: int, calls: int, compiled: bool = False) -> PlanRow:
    """`compiled`: torch.compile among the variants, which takes half a minute a shape."""
    torch.set_num_threads(threads)
    run = of_shape(run, shape, threads)
    work = prepare(run)
    network, precision = network_of(work), getattr(work.planning, "precision", "float32")
    main = contenders.of_importance(work) | floors.contenders(network, precision)
    pieces, variants = contenders.pieces(work), contenders.variants(work, run, compiled)
    with torch.inference_mode():
        took = interleaved(main, rounds, calls, SECONDS)
        other = interleaved(pieces | variants, min(rounds, OTHER_ROUNDS), calls, OTHER_SECONDS)
    p50 = {name: float(np.median(ms)) for name, ms in (took | other).items()}
    floor = floors.floor(network, precision, floors.rates(precision, threads), p50)
    path = getattr(work.planning, "path", None)
    return PlanRow(
        comparison="plan",
        N=shape.samples,
        H=shape.horizon,
        M=shape.members,
        width=shape.width,
        threads=threads,
        device="cpu",
        path=f"rollout.c, {path}" if path else "torch",
        precision=precision,
        calls=took[OURS].size,
        **_times(OURS, took[OURS]),
        **_times(PEER, took.get(PEER)),
        **_ratio("speedup", Ratio.of(took[PEER], took[OURS]) if PEER in took else None),
        **_times(ROLLOUT, took[ROLLOUT]),
        **_floor(floor),
        **_ratio("rollout_over_floor", _over_floor(took, floor)),
        parts={name: p50[name] for name in pieces},
        variants={f"{name}_ms": p50[name] for name in variants},
    )


def network_of(work: Work) -> Network:
    """What the floors have to know."""
    return Network(
        layers=tuple(tuple(weight.shape[1:]) for weight in work.model.weights),
        members=work.model.members,
        rows=work.rows,
        horizon=work.config.mppi.horizon,
        actions=len(work.model.action_scale),
    )


def _times(what: str, took: np.ndarray | None) -> dict[str, float | None]:
    keys = [f"{what}{percentile}_ms" for percentile in ("", "_p95", "_p99", "_max")]
    if took is None:
        return dict.fromkeys(keys)
    times = Times.of(took)
    return dict(zip(keys, (times.p50, times.p95, times.p99, times.most), strict=True))


def _ratio(what: str, ratio: Ratio | None) -> dict[str, float | None]:
    keys = what, f"{what}_low", f"{what}_high"
    return dict(zip(keys, (ratio.value, ratio.low, ratio.high), strict=True)) if ratio else dict.fromkeys(keys)


def _floor(floor: Floor) -> dict[str, float | str]:
    return {
        "floor_ms": floor.measured,
        "floor_matmul_ms": floor.matmul,
        "floor_matmul_by": floor.matmul_by,
        "floor_activation_ms": floor.activation,
        "floor_activation_by": floor.activation_by,
        "arithmetic_ms": floor.arithmetic,
        "bytes_ms": floor.bytes,
    }


def _over_floor(took: dict[str, np.ndarray], floor: Floor) -> Ratio:
    parts = floors.MATMUL + floor.matmul_by, floors.ACTIVATION + floor.activation_by
    rounds = sum(np.median(took[part], 1, keepdims=True) for part in parts)
    ratio = Ratio.of(took[ROLLOUT], rounds)
    return dataclasses.replace(ratio, value=float(np.median(took[ROLLOUT])) / floor.measured)
