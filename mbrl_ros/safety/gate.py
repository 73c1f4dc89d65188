"""The last instance before the robot: plans, states and requests in; one checked command out, and why.

Everything is a pure function of a frozen memory. Times called `steady_ns` are the caller's steady clock; in lockstep
and in-process, robot time takes its place. Robot time is compared with robot time only.

    memory = initial(spec, config, simulation)
    memory = receive_state(memory, state, steady_ns)
    memory = receive_plan(memory, plan, steady_ns)
    memory, decision = decide(memory, robot_ns, steady_ns)
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import numpy as np

from mbrl_ros.safety import envelope as limits
from mbrl_ros.safety import ladder as rungs
from mbrl_ros.safety import plans as book
from mbrl_ros.safety.ladder import Rung, Stage
from mbrl_ros.safety.memory import (
    Decision,
    GateMemory,
    clock,
    initial,
    newest_plan,
    newest_plan_holds,
    paused,
    plan_age,
    robot_time,
    state_age,
)
from mbrl_ros.safety.requests import LEFT_DAMPED, Request, entered, from_measured, not_ready, request
from mbrl_ros.types import Action, Command, Event, Plan, RobotMode, RobotState

__all__ = [
    "Decision",
    "GateMemory",
    "Request",
    "clock",
    "decide",
    "initial",
    "newest_plan",
    "newest_plan_holds",
    "paused",
    "plan_age",
    "receive_plan",
    "receive_state",
    "request",
    "robot_time",
    "state_age",
]


def receive_state(memory: GateMemory, state: RobotState, steady_ns: int) -> GateMemory:
    """With `state` as the newest. One that cannot be believed is counted and ignored, so that its age grows."""
    reason = limits.state_fault(memory.rules.limits, state)
    if reason:
        return _counted(memory, reason)
    begins_anew = memory.state is not None and state.stamp_ns < memory.state.stamp_ns
    if begins_anew and memory.paused_at_ns is not None:  # whoever paused has gone, and will never resume
        memory, _, _ = request(memory, Request.RESUME, steady_ns)
    now = clock(memory, steady_ns)
    if memory.state is None:
        return replace(memory, state=state, state_ns=now, origin_ns=state.stamp_ns)
    if state.stamp_ns == memory.state.stamp_ns:
        return memory  # a repeat is no news: where it is a stuck driver, the age must grow
    if begins_anew:
        return replace(
            _counted(memory, "state_time_back"),
            state=state,
            state_ns=now,
            origin_ns=state.stamp_ns,
            plans=book.emptied(memory.plans),
            rung=None if memory.rung is None else replace(memory.rung, since_ns=min(memory.rung.since_ns, now)),
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


def decide(memory: GateMemory, robot_ns: int, steady_ns: int) -> tuple[GateMemory, Decision]:
    """What to tell the robot at robot time `robot_ns`. Asked for the same time again, nothing advances."""
    if memory.last is not None and robot_ns == memory.last_robot_ns:
        return memory, replace(memory.last, events=())
    if memory.state is None:
        return memory, Decision(None, (), False)
    now = clock(memory, steady_ns)
    memory = _first_rung(memory, now) if memory.rung is None else memory
    memory = _released(memory, now)
    if _uncommanded(memory, robot_ns):
        memory = from_measured(memory, now, "no command was sent for a while")

    rules, state_age = memory.rules, now - memory.state_ns
    lookup_ns = max(robot_ns + (rules.slack_ns if robot_ns == memory.state.stamp_ns else 0), memory.lookup_ns)
    held = book.holding(memory.plans, lookup_ns)
    fresh = state_age <= rules.max_age_ns and now - memory.plans.received_ns <= rules.max_age_ns
    signs = rungs.Signs(
        followable=held is not None and fresh and not memory.plans.owed,
        plans_lost_ns=now - memory.plans.received_ns if memory.planned else 0,
        state_lost_ns=state_age - rules.max_age_ns,
        tilted=limits.tilted(rules.limits, memory.state),
        low=limits.low(rules.limits, memory.state),
    )
    rung = rungs.next_rung(rules.ladder, memory.rung, signs, now, memory.target)
    if rung is not memory.rung:
        if memory.rung.stage is Stage.FOLLOW and not fresh:
            memory = replace(memory, plans=book.lost(memory.plans))
        memory = entered(memory, rung)

    step_ns = _step_begin(memory, robot_ns)
    step_target = memory.target if step_ns != memory.step_ns else memory.step_target
    command, clipped = _command(memory, held, robot_ns, now, step_target)
    decision = Decision(command, tuple(Event(name, robot_ns, message) for name, message in memory.news), clipped)
    memory = replace(
        memory,
        target=command.target,
        step_target=step_target,
        step_ns=step_ns,
        lookup_ns=lookup_ns,
        last=decision,
        last_robot_ns=robot_ns,
        news=(),
    )
    return memory, decision


def _step_begin(memory: GateMemory, robot_ns: int) -> int:
    """When the present step began, on a grid of dt, so that samples which come early do not shorten it."""
    elapsed, dt_ns = robot_ns + memory.rules.slack_ns - memory.step_ns, memory.rules.dt_ns
    if elapsed < dt_ns:
        return memory.step_ns
    return memory.step_ns + dt_ns if elapsed < 2 * dt_ns else robot_ns


def _uncommanded(memory: GateMemory, robot_ns: int) -> bool:
    if memory.last is None or memory.rung.stage is Stage.DAMP:
        return False
    return robot_ns - memory.last_robot_ns > memory.rules.uncommanded_ns


def _first_rung(memory: GateMemory, now: int) -> GateMemory:
    """A robot that stands is held there. One that does not, or that another guard left damped, waits for stand_up."""
    rules = memory.rules
    why = "estop" if memory.estopped else LEFT_DAMPED if memory.left_damped else None
    why = why or limits.not_standing(rules.limits, memory.state)
    target = limits.resting_target(rules.limits, memory.state) if why else rules.limits.stance
    memory = replace(memory, target=target, step_target=target)
    if why:
        return entered(memory, Rung(Stage.DAMP, now, target, why))
    return entered(memory, Rung(Stage.STANCE, now, target, "start"))


def _released(memory: GateMemory, now: int) -> GateMemory:
    """After a reset of the simulation, damping ends when the state shows the robot in its stance, upright and still."""
    if not memory.release or not_ready(memory, now) or limits.not_standing(memory.rules.limits, memory.state):
        return memory
    stance = memory.rules.limits.stance
    freed = replace(
        memory, target=stance, step_target=stance, news=(*memory.news, ("release", memory.release)), release=""
    )
    return entered(freed, Rung(Stage.STANCE, now, stance, "reset", placed=True))


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
