"""The last instance before the robot: plans, states and requests in; one checked command out, and why.

Everything is a pure function of a frozen memory. Times called `steady_ns` are the caller's steady clock; in lockstep and
in-process, robot time takes its place. Robot time is compared with robot time only.

    memory = initial(spec, config, simulation)
    memory = receive_state(memory, state, steady_ns)
    memory = receive_plan(memory, plan, steady_ns)
    memory, decision = decide(memory, robot_ns, steady_ns)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.safety import envelope as limits
from mbrl_ros.safety import ladder as rungs
from mbrl_ros.safety import plans as book
from mbrl_ros.safety.ladder import Rung, Stage
from mbrl_ros.settings import GuardConfig
from mbrl_ros.types import NS, Action, Command, Event, Plan, RobotMode, RobotState

# A driver damps by itself 50 ms after the last command. If it did so for over 100 ms, the joints are no longer where they
# were told to be.
UNCOMMANDED_NS = 150_000_000


class Request(StrEnum):
    ESTOP = "estop"
    ESTOP_RESET = "estop_reset"
    STAND_UP = "stand_up"
    SIT_DOWN = "sit_down"
    SIM_RESET = "sim_reset"  # the simulation put the robot back into its stance
    DRIVER_DAMPED = "driver_damped"  # the driver damped by itself for a while
    PAUSE = "pause"  # the simulation stands still: no age grows
    RESUME = "resume"


@dataclass(frozen=True, eq=False)
class Rules:
    """What does not change between activation and shutdown."""

    limits: limits.Envelope
    ladder: rungs.Ladder
    max_age_ns: int
    dt_ns: int
    slack_ns: int  # a sample this much before a step's time counts as that step
    end_mode: RobotMode  # damp, or off
    simulation: bool


@dataclass(frozen=True)
class Decision:
    command: Command | None  # none before the first state
    events: tuple[Event, ...]
    clipped: bool


@dataclass(frozen=True, eq=False)
class GateMemory:
    """Everything the gate remembers. `clock` times are steady time less the time spent paused."""

    rules: Rules
    plans: book.PlanBook
    state: RobotState | None = None
    state_ns: int = 0  # clock at which the newest state came
    origin_ns: int = 0  # robot time of the first state since robot time began (again)
    planned: bool = False  # a plan has come since activation
    rung: Rung | None = None  # none before the first state
    estopped: bool = False
    release: str = ""  # the request that ends the damping once the robot is upright and still
    target: np.ndarray | None = None  # (A,) last sent
    step_target: np.ndarray | None = None  # (A,) in force when the present step began: what rate limits measure from
    step_ns: int = 0  # robot time at which it began
    lookup_ns: int = 0  # robot time last looked up in the plans; never goes back, so no point is taken twice
    last: Decision | None = None
    last_robot_ns: int = 0
    news: tuple[tuple[str, str], ...] = ()  # (name, message) of events not told yet
    counts: Mapping[str, int] = MappingProxyType({})  # refused plans and states, by reason
    paused_at_ns: int | None = None
    paused_ns: int = 0  # in all


def initial(spec: RobotSpec, config: GuardConfig, simulation: bool) -> GateMemory:
    max_age_ns = round(config.max_age * NS)
    rules = Rules(
        limits=limits.envelope(spec),
        ladder=rungs.ladder(spec, config),
        max_age_ns=max_age_ns,
        dt_ns=spec.dt_ns,
        slack_ns=spec.sample_period_ns // 2,
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


def receive_state(memory: GateMemory, state: RobotState, steady_ns: int) -> GateMemory:
    """With `state` as the newest. One that cannot be believed is counted and ignored, so that its age grows."""
    reason = limits.state_fault(memory.rules.limits, state)
    if reason:
        return _counted(memory, reason)
    now = clock(memory, steady_ns)
    if memory.state is None:
        return replace(memory, state=state, state_ns=now, origin_ns=state.stamp_ns)
    if state.stamp_ns == memory.state.stamp_ns:
        return memory  # a repeat is no news: where it is a stuck driver, the age must grow
    if state.stamp_ns < memory.state.stamp_ns:
        return replace(
            _counted(memory, "state_time_back"),
            state=state,
            state_ns=now,
            origin_ns=state.stamp_ns,
            plans=book.emptied(memory.plans),
            step_ns=state.stamp_ns,
            step_target=memory.target,
            lookup_ns=state.stamp_ns,
            last=None,
        )
    return replace(memory, state=state, state_ns=now)


def receive_plan(memory: GateMemory, plan: Plan, steady_ns: int) -> GateMemory:
    """With `plan` in hand; one that is refused is counted by its reason and changes nothing else."""
    if memory.state is None:
        return _counted(memory, "plan_before_state")
    if book.repeated(memory.plans, plan):
        return memory
    now = clock(memory, steady_ns)
    reason = book.fault(memory.plans, plan, memory.state.stamp_ns, now)
    if reason:
        return _counted(memory, reason)
    return replace(memory, plans=book.added(memory.plans, plan, memory.state.stamp_ns, now), planned=True)


def _counted(memory: GateMemory, reason: str) -> GateMemory:
    return replace(memory, counts=MappingProxyType({**memory.counts, reason: memory.counts.get(reason, 0) + 1}))


def request(memory: GateMemory, wanted: Request, steady_ns: int) -> tuple[GateMemory, bool, str]:
    """What a person (or the simulation) asks for; whether it is granted, and a sentence for the asker."""
    now = clock(memory, steady_ns)
    changed, message = _REQUESTS[wanted](memory, now, steady_ns)
    if changed is None:
        return memory, False, message
    return replace(changed, last=None), True, message


def _estop(memory: GateMemory, now: int, steady_ns: int):
    estopped = replace(memory, estopped=True, release="", news=(*memory.news, ("estop", "estop latched")))
    if memory.rung is not None:
        estopped = replace(estopped, rung=Rung(Stage.DAMP, now, memory.rung.begin, "estop"))
    return estopped, "estopped: call estop_reset once the robot is upright and still"


def _estop_reset(memory: GateMemory, now: int, steady_ns: int):
    if not memory.estopped:
        return None, "no estop is latched"
    why = _not_ready(memory, now)
    if why:
        return None, f"the estop stays latched: {why}"
    freed = replace(memory, estopped=False, news=(*memory.news, ("release", "estop reset")))
    return _rising(freed, now, "estop reset"), "estop released"


def _stand_up(memory: GateMemory, now: int, steady_ns: int):
    if memory.estopped:
        return None, "an estop is latched: call estop_reset"
    if memory.rung is not None and memory.rung.stage in (Stage.RISE, Stage.STANCE, Stage.FOLLOW):
        return memory, "already up"
    if memory.rung is not None and memory.rung.stage is Stage.SIT:
        return _rising(memory, now, "stand_up"), "standing up"
    why = _not_ready(memory, now)
    if why:
        return None, f"cannot stand up: {why}"
    freed = replace(memory, news=(*memory.news, ("release", "stand_up")))
    return _rising(freed, now, "stand_up"), "standing up"


def _sit_down(memory: GateMemory, now: int, steady_ns: int):
    if not memory.rules.ladder.sits:
        return None, "this robot's safe sequence has no sit: use estop"
    if memory.rung is None or memory.rung.stage is Stage.DAMP:
        return None, "the robot is not up"
    if memory.rung.stage is Stage.SIT:
        return memory, "already sitting down"
    return _entered(memory, Rung(Stage.SIT, now, memory.target, "sit_down")), "sitting down"


def _sim_reset(memory: GateMemory, now: int, steady_ns: int):
    """The robot now stands in its stance, so that is the guard's target too; a fall is forgiven once the state shows it."""
    if not memory.rules.simulation:
        return None, "only a simulation can be reset"
    stage = memory.rung.stage if memory.rung else None
    again = replace(memory, plans=book.emptied(memory.plans))
    if memory.estopped or stage in (None, Stage.SIT):
        return again, "plans dropped"
    if stage is Stage.DAMP:
        forgivable = memory.rung.why.startswith(("tilt", "height", "posture", "moving", "turning"))
        return replace(again, release="reset" if forgivable else ""), "damping ends when the robot is upright and still"
    stance = again.rules.limits.stance
    again = replace(again, target=stance, step_target=stance)
    return _entered(again, Rung(Stage.STANCE, now, stance, "reset")), "holding stance"


def _driver_damped(memory: GateMemory, now: int, steady_ns: int):
    if memory.rung is None or memory.rung.stage is Stage.DAMP:
        return memory, "nothing to do"
    return _from_measured(memory, now, "driver damped"), "fading in from the measured posture"


def _pause(memory: GateMemory, now: int, steady_ns: int):
    if memory.paused_at_ns is not None:
        return memory, "already paused"
    return replace(memory, paused_at_ns=steady_ns), "paused"


def _resume(memory: GateMemory, now: int, steady_ns: int):
    if memory.paused_at_ns is None:
        return memory, "not paused"
    return replace(
        memory, paused_at_ns=None, paused_ns=memory.paused_ns + steady_ns - memory.paused_at_ns
    ), "running again"


_REQUESTS = {
    Request.ESTOP: _estop,
    Request.ESTOP_RESET: _estop_reset,
    Request.STAND_UP: _stand_up,
    Request.SIT_DOWN: _sit_down,
    Request.SIM_RESET: _sim_reset,
    Request.DRIVER_DAMPED: _driver_damped,
    Request.PAUSE: _pause,
    Request.RESUME: _resume,
}


def _not_ready(memory: GateMemory, now: int) -> str | None:
    """Why a damped robot may not be moved again."""
    if memory.state is None:
        return "no state has come yet"
    if now - memory.state_ns > memory.rules.max_age_ns:
        return "the state is too old"
    return limits.unrest(memory.rules.limits, memory.state)


def _entered(memory: GateMemory, rung: Rung) -> GateMemory:
    """On another rung, and everyone will hear of it."""
    if rung.stage is memory.rung.stage if memory.rung else False:
        return replace(memory, rung=rung)
    fell = rung.stage is Stage.DAMP and rung.why.startswith(("tilt", "height"))
    return replace(memory, rung=rung, news=(*memory.news, ("fall" if fell else "mode", f"{rung.stage}: {rung.why}")))


def _rising(memory: GateMemory, now: int, why: str) -> GateMemory:
    """From where the joints are to stance; robots without a posture have nothing to raise."""
    target = limits.resting_target(memory.rules.limits, memory.state)
    stage = Stage.RISE if memory.rules.limits.position_interface else Stage.STANCE
    return _entered(replace(memory, target=target, step_target=target, release=""), Rung(stage, now, target, why))


def _from_measured(memory: GateMemory, now: int, why: str) -> GateMemory:
    """The same rung again (a followed plan is faded in again) from the measured posture."""
    target = limits.resting_target(memory.rules.limits, memory.state)
    stage = Stage.STANCE if memory.rung.stage is Stage.FOLLOW else memory.rung.stage
    return _entered(replace(memory, target=target, step_target=target), Rung(stage, now, target, why))


def decide(memory: GateMemory, robot_ns: int, steady_ns: int) -> tuple[GateMemory, Decision]:
    """What to tell the robot at robot time `robot_ns`. The same robot time again gets the same answer, and nothing advances."""
    if memory.last is not None and robot_ns == memory.last_robot_ns:
        return memory, replace(memory.last, events=())
    if memory.state is None:
        return memory, Decision(None, (), False)
    now = clock(memory, steady_ns)
    memory = _first_rung(memory, now) if memory.rung is None else memory
    memory = _released(memory, now)
    if memory.last is not None and robot_ns - memory.last_robot_ns > UNCOMMANDED_NS and memory.rung.stage != Stage.DAMP:
        memory = _from_measured(memory, now, "no command was sent for a while")

    rules, state_age = memory.rules, now - memory.state_ns
    lookup_ns = max(robot_ns + (rules.slack_ns if robot_ns == memory.state.stamp_ns else 0), memory.lookup_ns)
    held = book.holding(memory.plans, lookup_ns)
    fresh = state_age <= rules.max_age_ns and now - memory.plans.received_ns <= rules.max_age_ns
    signs = rungs.Signs(
        followable=held is not None and fresh,
        planned=memory.planned,
        state_lost_ns=state_age - rules.max_age_ns,
        tilted=limits.tilted(rules.limits, memory.state),
        low=limits.low(rules.limits, memory.state),
    )
    rung = rungs.next_rung(rules.ladder, memory.rung, signs, now, memory.target)
    memory = memory if rung is memory.rung else _entered(memory, rung)

    new_step = robot_ns >= memory.step_ns + rules.dt_ns - rules.slack_ns
    step_target = memory.target if new_step else memory.step_target
    command, clipped = _command(memory, held, robot_ns, now, step_target)
    decision = Decision(command, tuple(Event(name, robot_ns, message) for name, message in memory.news), clipped)
    memory = replace(
        memory,
        target=command.target,
        step_target=step_target,
        step_ns=robot_ns if new_step else memory.step_ns,
        lookup_ns=lookup_ns,
        last=decision,
        last_robot_ns=robot_ns,
        news=(),
    )
    return memory, decision


def _first_rung(memory: GateMemory, now: int) -> GateMemory:
    """A robot that stands is held there. One that does not (a guard back after a crash) waits for stand_up."""
    rules = memory.rules
    why = "estop" if memory.estopped else limits.not_standing(rules.limits, memory.state)
    target = limits.resting_target(rules.limits, memory.state) if why else rules.limits.stance
    memory = replace(memory, target=target, step_target=target)
    return _entered(memory, Rung(Stage.DAMP, now, target, why) if why else Rung(Stage.STANCE, now, target, "start"))


def _released(memory: GateMemory, now: int) -> GateMemory:
    """After a reset of the simulation, damping ends when the state shows the robot in its stance, upright and still."""
    if not memory.release or _not_ready(memory, now) or limits.not_standing(memory.rules.limits, memory.state):
        return memory
    stance = memory.rules.limits.stance
    freed = replace(
        memory, target=stance, step_target=stance, news=(*memory.news, ("release", memory.release)), release=""
    )
    return _entered(freed, Rung(Stage.STANCE, now, stance, "reset"))


def _command(memory: GateMemory, held, robot_ns: int, now: int, step_target: np.ndarray) -> tuple[Command, bool]:
    rules, rung = memory.rules, memory.rung
    if rung.stage is Stage.DAMP:
        target = limits.resting_target(rules.limits, memory.state)
        return Command(robot_ns, target, rules.end_mode, Action.DAMP, -1, 0), False
    if rung.stage is Stage.FOLLOW:
        plan, point = held
        wanted, whole = rungs.faded_in(rules.ladder, rung, point, now)
        target, clipped = limits.limited(rules.limits, wanted, step_target)
        action = Action.HOLD if not whole else Action.CLIP if clipped else Action.FOLLOW
        return Command(robot_ns, target, RobotMode.POSITION, action, plan.sequence, plan.model), clipped
    wanted = rungs.own_target(rules.ladder, rung, now)
    target, clipped = limits.limited(rules.limits, wanted, step_target)
    action = Action.SIT if rung.stage is Stage.SIT else Action.HOLD
    return Command(robot_ns, target, RobotMode.POSITION, action, -1, 0), clipped
