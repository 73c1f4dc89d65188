"""What the gate remembers: one frozen record, replaced at each call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.safety import consistency, targets
from mbrl_ros.safety import envelope as limits
from mbrl_ros.safety import ladder as rungs
from mbrl_ros.safety import plans as book
from mbrl_ros.safety.attitude import Attitude
from mbrl_ros.safety.ladder import Rung, Stage
from mbrl_ros.settings import GuardConfig
from mbrl_ros.types import NS, Command, Event, Plan, RobotMode, RobotState

# A driver damps by itself 50 ms after the last command. Once it has done so for 100 ms, the joints are no longer where
# they were told to be.
UNCOMMANDED_NS = 150_000_000

# Less than any two robots' clocks are apart by chance, more than messages overtake one another by.
LATE_NS = 100_000_000

# What the guard says of itself: the stages of its ladder, and one more where the newest plan is late and its
# predecessor's later points are followed.
COAST = "coast"
RUNGS = (Stage.FOLLOW.value, COAST, *(stage.value for stage in Stage if stage is not Stage.FOLLOW))


@dataclass(frozen=True, eq=False)
class Rules:
    """What does not change between activation and shutdown."""

    limits: limits.Envelope
    targets: targets.TargetLimits
    bounds: consistency.Bounds
    ladder: rungs.Ladder
    max_age_ns: int
    dt_ns: int
    uncommanded_ns: int  # since the last command: the driver has damped by itself
    slack_ns: int  # a sample this much before a step's time counts as that step
    late_ns: int  # a sample this much older than the newest was late on its way; older than that, time begins anew
    end_mode: RobotMode  # damp, or off
    simulation: bool


@dataclass(frozen=True)
class Decision:
    command: Command | None  # none before the first state
    events: tuple[Event, ...]
    limited: tuple[str, ...] = ()  # which limits changed the target

    @property
    def clipped(self) -> bool:
        return bool(self.limited)


@dataclass(frozen=True, eq=False)
class GateMemory:
    """Everything the gate remembers. `clock` times are steady time less the time spent paused."""

    rules: Rules
    plans: book.PlanBook
    state: RobotState | None = None  # the newest that is believed
    state_ns: int = 0  # clock at which it came
    trusted_ns: int = 0  # clock up to which the sensors could be believed: what its age is measured from
    unbelieved: str = ""  # why what came since cannot be
    doubt: str = ""  # why no plan is followed though the state is believed
    doubt_ns: int = 0  # clock since which
    track: consistency.Track | None = None  # what the next state is compared with
    attitude: Attitude | None = None  # of states that came since the believed one
    heard_ns: int = 0  # robot time of the newest state, believed or not
    origin_ns: int = 0  # robot time of the first state since robot time began (again)
    begun_ns: int = 0  # clock at which it last began again; 0 where it never did
    planned: bool = False  # a plan has come since activation
    rung: Rung | None = None  # none before the first state
    estopped: bool = False
    left_damped: bool = False  # the robot was found damped
    release: str = ""  # the request that ends the damping once the robot is upright and still
    step: targets.Step | None = None  # targets of the present step of dt; none before the first state
    step_ns: int = 0  # robot time at which it began
    stepped_ns: int = 0  # clock at which it did; 0 before the first
    lookup_ns: int = 0  # robot time last looked up in the plans; never goes back, so no point is taken twice
    last: Decision | None = None
    last_robot_ns: int = 0
    last_ns: int = 0  # clock
    news: tuple[tuple[str, str], ...] = ()  # (name, message) of events not told yet
    counts: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType({})
    )  # refused plans and states by reason, limited targets by limit
    paused_at_ns: int | None = None
    paused_ns: int = 0  # in all

    @property
    def target(self) -> np.ndarray | None:
        """(A,) last sent."""
        return None if self.step is None else self.step.now


def initial(spec: RobotSpec, config: GuardConfig, simulation: bool) -> GateMemory:
    max_age_ns = round(config.max_age * NS)
    rules = Rules(
        limits=limits.envelope(spec),
        targets=targets.target_limits(spec),
        bounds=consistency.bounds(spec),
        ladder=rungs.ladder(spec, config),
        max_age_ns=max_age_ns,
        dt_ns=spec.dt_ns,
        uncommanded_ns=UNCOMMANDED_NS + spec.dt_ns,
        slack_ns=spec.sample_period_ns // 2,
        late_ns=0 if config.lockstep else LATE_NS,
        end_mode=RobotMode(spec.safe_sequence[-1]),
        simulation=simulation,
    )
    return GateMemory(rules, book.PlanBook(spec.dt_ns, len(spec.actuated), max_age_ns))


def clock(memory: GateMemory, steady_ns: int) -> int:
    """Steady time that stands still while paused: what ages are measured in."""
    now = steady_ns if memory.paused_at_ns is None else memory.paused_at_ns
    return now - memory.paused_ns


def robot_time(memory: GateMemory, steady_ns: int) -> int:
    """Robot time now: the newest state's stamp and the time since it came; 0 before the first."""
    if memory.state is None:
        return 0
    return memory.state.stamp_ns + clock(memory, steady_ns) - memory.state_ns


def paused(memory: GateMemory) -> bool:
    return memory.paused_at_ns is not None


def state_age(memory: GateMemory, steady_ns: int) -> int | None:
    """Nanoseconds since the sensors could last be believed."""
    return None if memory.state is None else clock(memory, steady_ns) - memory.trusted_ns


def tilt(memory: GateMemory, now: int) -> str | None:
    """Why the robot is not upright, by the newest orientation that counts, unless that is too old."""
    rules, attitude = memory.rules, memory.attitude
    if attitude is not None and attitude.taken is not None and now - attitude.taken_ns <= rules.max_age_ns:
        return limits.tilted(rules.limits, attitude.taken)
    return limits.tilted(rules.limits, memory.state) if now - memory.trusted_ns <= rules.max_age_ns else None


def plan_age(memory: GateMemory, steady_ns: int) -> int | None:
    """Nanoseconds since the newest plan came."""
    return clock(memory, steady_ns) - memory.plans.received_ns if memory.plans.plans else None


def newest_plan(memory: GateMemory) -> Plan | None:
    return memory.plans.plans[0] if memory.plans.plans else None


def standing(memory: GateMemory) -> str:
    """Which of RUNGS the last command came from."""
    stage = memory.rung.stage
    return COAST if stage is Stage.FOLLOW and _coasting(memory) else stage.value


def _coasting(memory: GateMemory) -> bool:
    """A plan is made every step and holds a delay later; a point after its first means that the next is not there.

    With no delay the first point holds from the arrival of the plan on, so the second covers the time until then.
    """
    followed = next((p for p in memory.plans.plans if p.sequence == memory.last.command.plan_sequence), None)
    if followed is None:
        return False
    dt_ns = memory.rules.dt_ns
    return memory.lookup_ns - followed.stamp_ns >= max(followed.offsets_ns[0], dt_ns) + dt_ns


def newest_plan_holds(memory: GateMemory, steady_ns: int) -> bool:
    """Whether the newest plan already covers robot time now, so that it should not wait for the next state."""
    held = book.holding(memory.plans, robot_time(memory, steady_ns))
    return held is not None and held[0] is memory.plans.plans[0]
