"""`mbrl bench policy`: what drives the robot as well as the planner that is shipped, and in how much of its time.

Judged twice: on the truth, over commands that no training favours; and by the clock, all of them taking turns on the
same walk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mbrl_ros.bench.timing import Ratio, interleaved
from mbrl_ros.config import ConfigError
from mbrl_ros.control.report import Velocity
from mbrl_ros.learning.evaluating import WARM_UP, driving, evaluate_tracking
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.runs import RunConfig
from mbrl_ros.types import Action, RobotState

SHORT = 5  # steps
FEW = 80  # rollouts
# name: what is set in the run for it. The first is what the others are compared with.
CONTENDERS = {
    "planner as shipped": {"mode": "mppi"},
    f"planner, H={SHORT}": {"mode": "mppi", "mppi.horizon": SHORT},
    f"planner, H={SHORT}, V": {"mode": "mppi", "mppi.horizon": SHORT, "mppi.terminal_value": True},
    f"planner, H={SHORT}, V, proposals": {
        "mode": "mppi",
        "mppi.horizon": SHORT,
        "mppi.terminal_value": True,
        "mppi.proposals": 0.25,
    },
    f"planner, H={SHORT}, V, proposals, {FEW} rollouts": {
        "mode": "mppi",
        "mppi.horizon": SHORT,
        "mppi.terminal_value": True,
        "mppi.proposals": 0.25,
        "mppi.samples": FEW,
    },
    "policy": {"mode": "policy"},
    "policy, delay 0": {"mode": "policy", "delay": 0},
}
WALK: Velocity = (0.4, 0.0, 0.2)
WALK_SECONDS = 4.0  # of the walk by which decisions are timed


@dataclass(frozen=True)
class DeploymentRow:
    """One way to drive. Low and high are of seeds for what was judged, of rounds for what was timed."""

    name: str
    horizon: int | None  # steps planned ahead; None: no plan
    delay: int
    cost: float  # a step, on the truth
    cost_low: float
    cost_high: float
    cost_ratio: float  # to the first row's
    velocity_error: float  # m/s
    worst_velocity_error: float  # of all commands and seeds
    yaw_rate_error: float  # rad/s
    falls: int
    decision_ms: float  # p50: a state in, a plan out
    decision_p99_ms: float
    time_ratio: float  # to the first row's
    time_ratio_low: float
    time_ratio_high: float
    plan_ms: float | None  # p50, of that the plan alone; None: it plans nothing
    plan_ratio: float | None  # to the first row's


@dataclass(frozen=True)
class Driven:
    """One seed."""

    cost: float
    velocity_error: float
    worst_velocity_error: float
    yaw_rate_error: float
    falls: int


def with_contender(run: RunConfig, name: str) -> RunConfig:
    return run.with_all({f"planner.{setting}": value for setting, value in CONTENDERS[name].items()}, name)


def driven(
    run: RunConfig,
    spec: RobotSpec,
    model,
    policy,
    names: Sequence[str],
    seeds: Sequence[int],
    commands: Sequence[Velocity],
    hold: float,
) -> Iterator[tuple[str, Driven]]:
    """All names with one seed, then with the next."""
    for seed in seeds:
        for name in names:
            made = with_contender(run, name)
            found = evaluate_tracking(made, spec, model, commands, hold, seed, not run.bridge.noise, policy=policy)
            s = found.score.summary()
            errors = (s[key] for key in ("velocity_error", "worst_velocity_error", "yaw_rate_error"))
            yield name, Driven(found.cost, *errors, found.falls)


def timed(
    run: RunConfig, spec: RobotSpec, model, policy, names: Sequence[str], rounds: int, calls: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Milliseconds (rounds, calls) of a decision of each, and of a plan of those that plan."""
    walk = states_of_walk(with_contender(run, names[0]), spec, model, policy)
    made = {name: with_contender(run, name) for name in names}
    deciders = {name: decider(one, spec, model, policy, walk) for name, one in made.items()}
    planners = {
        name: _planner(one, spec, model, policy, walk[0]) for name, one in made.items() if one.planner.mode == "mppi"
    }
    return interleaved(deciders, rounds, calls), interleaved(planners, rounds, calls)


def _planner(run: RunConfig, spec: RobotSpec, model, policy, state: RobotState) -> Callable[[], None]:
    agent = driving(run, spec, model, run.planner.seed, False, policy).agent
    agent.act(state, np.array(WALK))
    return agent.rehearsal(agent.samples)


def states_of_walk(run: RunConfig, spec: RobotSpec, model, policy, seconds: float = WALK_SECONDS) -> list[RobotState]:
    """As measured, once the guard follows. ConfigError where it does not."""
    session, states = driving(run, spec, model, run.planner.seed, run.bridge.noise, policy), []
    wanted = round(seconds / spec.dt)
    for _ in range(wanted + round(2 * WARM_UP / spec.dt)):  # as long again after a fall
        if session.following:
            states.append(session.backend.measure())
        if len(states) == wanted:
            return states
        session.step(np.array(WALK))
    raise ConfigError(
        f"the guard followed for {len(states) * spec.dt:.1f} of {seconds:g} s, so there is no walk to time decisions "
        f"on: see with `mbrl eval {run.name}` whether the robot walks at all"
    )


def decider(run: RunConfig, spec: RobotSpec, model, policy, walk: Sequence[RobotState]) -> Callable[[], object]:
    """One step of the walk a call, again and again: what to do is decided, but another one is walking."""
    agent, command, count = driving(run, spec, model, run.planner.seed, False, policy).agent, np.array(WALK), 0

    def decide():
        nonlocal count
        if count % len(walk) == 0:
            agent.forget()
        state = walk[count % len(walk)]
        count += 1
        plan = agent.act(state, command)
        if not isinstance(plan, NoPlan):
            agent.note_applied(state.stamp_ns, plan.targets[0], Action.FOLLOW)
        return plan

    return decide


def row(
    run: RunConfig,
    name: str,
    seeds: list[Driven],
    first: list[Driven],
    took: np.ndarray,
    against: np.ndarray,
    plans: tuple[np.ndarray, np.ndarray] | None = None,
) -> DeploymentRow:
    """`first` and `against`: of the first row; `plans`: both for plans alone, where it plans."""
    planner, ratio = with_contender(run, name).planner, Ratio.of(took, against)
    costs = [seed.cost for seed in seeds]
    p50, p99 = np.percentile(took, (50, 99))
    return DeploymentRow(
        name=name,
        horizon=None if planner.mode == "policy" else planner.mppi.horizon,
        delay=planner.delay,
        cost=float(np.mean(costs)),
        cost_low=min(costs),
        cost_high=max(costs),
        cost_ratio=float(np.mean(costs) / np.mean([seed.cost for seed in first])),
        velocity_error=float(np.mean([seed.velocity_error for seed in seeds])),
        worst_velocity_error=max(seed.worst_velocity_error for seed in seeds),
        yaw_rate_error=float(np.mean([seed.yaw_rate_error for seed in seeds])),
        falls=sum(seed.falls for seed in seeds),
        decision_ms=float(p50),
        decision_p99_ms=float(p99),
        time_ratio=ratio.value,
        time_ratio_low=ratio.low,
        time_ratio_high=ratio.high,
        plan_ms=None if plans is None else float(np.median(plans[0])),
        plan_ratio=None if plans is None else Ratio.of(*plans).value,
    )
