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

from mbrl_ros.safety import attitude as orientations
from mbrl_ros.safety import consistency, targets
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
    tilt,
)
from mbrl_ros.safety.requests import LEFT_DAMPED, Request, entered, from_measured, not_ready, rebased, request
from mbrl_ros.types import NS, Action, Command, Event, Plan, RobotMode, RobotState

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

UNSTEADY_NS = NS  # since robot time went back, for which steps are counted on the clock as well
TIME_STANDS_STILL = "robot time stands still"
LIMITED = "limited_"  # and which limit: counted by it


def receive_state(memory: GateMemory, state: RobotState, steady_ns: int) -> GateMemory:
    """With `state` as the newest. One that cannot be believed is counted and ignored, so that its age grows."""
    rules, track = memory.rules, memory.track
    reason = limits.state_fault(rules.limits, state)
    if reason:
        return _unbelieved(memory, state, reason, reason.removeprefix("state_").replace("_", " "), steady_ns)
    fault = consistency.impossible(rules.bounds, state)
    if fault:
        return _unbelieved(memory, state, fault.kind, fault.text, steady_ns)
    older_ns = 0 if track is None else track.newest.stamp_ns - state.stamp_ns
    if 0 < older_ns <= rules.late_ns:
        return _counted(memory, "state_late")
    begins_anew = older_ns > 0
    if begins_anew and memory.paused_at_ns is not None:  # whoever paused has gone, and will never resume
        memory, _, _ = request(memory, Request.RESUME, steady_ns)
    now = clock(memory, steady_ns)
    if track is None:
        track = consistency.begun(rules.bounds, state, None)
        return replace(_believed(memory, state, track, now), origin_ns=state.stamp_ns)
    if state.stamp_ns == track.newest.stamp_ns:  # no news: where it is a stuck driver, the age must grow
        return memory if memory.unbelieved else replace(memory, unbelieved=TIME_STANDS_STILL)
    if begins_anew:
        return replace(
            _believed(_counted(memory, "state_time_back"), state, consistency.begun(rules.bounds, state, None), now),
            doubt="",
            origin_ns=state.stamp_ns,
            plans=book.emptied(memory.plans),
            rung=None if memory.rung is None else replace(memory.rung, since_ns=min(memory.rung.since_ns, now)),
            step_ns=state.stamp_ns - memory.rules.dt_ns,
            begun_ns=now,
            lookup_ns=state.stamp_ns,
            last=None,
        )
    track, fault, doubt = consistency.followed(rules.bounds, track, state, _told(memory))
    memory = _doubted(memory, doubt, now)
    if fault:
        # What was believed meanwhile was wrong. So it goes to stance at once, but is not dropped: it may have rested.
        since = max(now - (state.stamp_ns - fault.since_ns), now - memory.rules.max_age_ns - 1)
        memory = replace(memory, track=track, trusted_ns=min(memory.trusted_ns, since))
        return _unbelieved(memory, state, fault.kind, fault.text, steady_ns)
    return _believed(memory, state, track, now)


def _believed(memory: GateMemory, state: RobotState, track: consistency.Track, now: int) -> GateMemory:
    return replace(
        memory,
        state=state,
        track=track,
        state_ns=now,
        trusted_ns=now,
        unbelieved="",
        heard_ns=state.stamp_ns,
        attitude=None,
    )


def _unbelieved(memory: GateMemory, state: RobotState, kind: str, text: str, steady_ns: int) -> GateMemory:
    memory = replace(_counted(memory, kind), unbelieved=text, heard_ns=max(memory.heard_ns, state.stamp_ns))
    if memory.state is None or not orientations.sound(state) or consistency.imu_frozen(memory.track, state):
        return memory
    attitude = memory.attitude or orientations.Attitude(memory.state)
    return replace(memory, attitude=orientations.after(attitude, state, clock(memory, steady_ns)))


def _told(memory: GateMemory) -> np.ndarray | None:
    """(A,) the positions that the joints should follow; none where they are free."""
    free = memory.rung is None or memory.rung.stage is Stage.DAMP or not memory.rules.limits.position_interface
    return None if free else memory.target


def _doubted(memory: GateMemory, doubt: consistency.Fault | None, now: int) -> GateMemory:
    text = "" if doubt is None else doubt.text
    if text == memory.doubt:
        return memory
    if memory.doubt or doubt is None:  # of more joints or fewer, or over
        return replace(memory, doubt=text)
    return replace(_counted(memory, doubt.kind), doubt=text, doubt_ns=now)


def receive_plan(memory: GateMemory, plan: Plan, steady_ns: int) -> GateMemory:
    """With `plan` in hand; one that is refused is counted by its reason and changes nothing else."""
    if memory.state is None:
        return _counted(memory, "plan_before_state")
    if book.repeated(memory.plans, plan):
        return memory
    now, state_ns = clock(memory, steady_ns), memory.heard_ns
    reason = book.fault(memory.plans, plan, state_ns, now)
    if reason:
        return _counted(memory, reason)
    return replace(memory, plans=book.added(memory.plans, plan, state_ns, now), planned=True)


def _counted(memory: GateMemory, reason: str) -> GateMemory:
    return replace(memory, counts=MappingProxyType({**memory.counts, reason: memory.counts.get(reason, 0) + 1}))


def decide(memory: GateMemory, robot_ns: int, steady_ns: int) -> tuple[GateMemory, Decision]:
    """What to tell the robot at robot time `robot_ns`. Asked for the same times again, nothing advances."""
    now = clock(memory, steady_ns)
    if memory.last is not None and (robot_ns, now) == (memory.last_robot_ns, memory.last_ns):
        return memory, replace(memory.last, events=())
    if memory.state is None:
        return memory, Decision(None, ())
    memory = _first_rung(memory, now) if memory.rung is None else memory
    memory = _released(memory, now)
    if _uncommanded(memory, now):
        memory = from_measured(memory, now, "no command was sent for a while")

    rules, state_age = memory.rules, now - memory.trusted_ns
    lookup_ns = max(robot_ns + (rules.slack_ns if robot_ns == memory.heard_ns else 0), memory.lookup_ns)
    held = book.holding(memory.plans, lookup_ns)
    fresh = state_age <= rules.max_age_ns and now - memory.plans.received_ns <= rules.max_age_ns
    lost_since_ns = memory.doubt_ns if memory.doubt else memory.plans.received_ns
    signs = rungs.Signs(
        followable=held is not None and fresh and not memory.plans.owed and not memory.doubt,
        plans_lost_ns=now - lost_since_ns if memory.planned else 0,
        state_lost_ns=state_age - rules.max_age_ns,
        plans_lost=memory.doubt or "plans lost",
        state_lost=f"state lost: {memory.unbelieved}" if memory.unbelieved else "state lost",
        tilted=tilt(memory, now),
        low=limits.low(rules.limits, memory.state) if state_age <= rules.max_age_ns else None,
    )
    rung = rungs.next_rung(rules.ladder, memory.rung, signs, now, memory.target)
    if rung is not memory.rung:
        if memory.rung.stage is Stage.FOLLOW and (memory.doubt or not fresh):
            memory = replace(memory, plans=book.lost(memory.plans))
        memory = entered(memory, rung)

    step_ns = _step_begin(memory, robot_ns, now)
    if step_ns != memory.step_ns:
        memory = replace(memory, step=targets.next_step(memory.step), step_ns=step_ns, stepped_ns=now)
    seen = memory.state if state_age <= rules.max_age_ns else None

    def within_limits(wanted: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        return targets.limited(rules.targets, wanted, memory.step, seen)

    command, limited = _command(memory, held, robot_ns, now, within_limits)
    for kind in limited:
        memory = _counted(memory, LIMITED + kind)
    decision = Decision(command, tuple(Event(name, robot_ns, message) for name, message in memory.news), limited)
    memory = replace(
        memory,
        step=targets.moved(memory.step, command.target),
        lookup_ns=lookup_ns,
        last=decision,
        last_robot_ns=robot_ns,
        last_ns=now,
        news=(),
    )
    return memory, decision


def _step_begin(memory: GateMemory, robot_ns: int, now: int) -> int:
    """When the present step began, on a grid of dt, so that samples which come early do not shorten it.

    Where robot time jumps, and for a while after it went back, no step begins before dt has passed on the clock too:
    who makes it jump back and forth makes no target move faster.
    """
    elapsed, dt_ns = robot_ns + memory.rules.slack_ns - memory.step_ns, memory.rules.dt_ns
    if elapsed < dt_ns:
        return memory.step_ns
    jumped, went_back = elapsed >= 2 * dt_ns, memory.begun_ns and 0 <= now - memory.begun_ns < UNSTEADY_NS
    if (jumped or went_back) and _into_step(memory, now) < dt_ns:
        return memory.step_ns
    return robot_ns if jumped else memory.step_ns + dt_ns


def _into_step(memory: GateMemory, now: int) -> int:
    """How long ago the present step began by the clock: dt at most, and where that went back with robot time."""
    passed, dt_ns = now - memory.stepped_ns, memory.rules.dt_ns
    return passed if memory.stepped_ns and 0 <= passed < dt_ns else dt_ns


def _uncommanded(memory: GateMemory, now: int) -> bool:
    """No command was sent for a while, by the clock: robot time that jumps is no silence."""
    if memory.last is None or memory.rung.stage is Stage.DAMP:
        return False
    return now - memory.last_ns > memory.rules.uncommanded_ns


def _first_rung(memory: GateMemory, now: int) -> GateMemory:
    """A robot that stands is held there. One that does not, or that another guard left damped, waits for stand_up."""
    rules = memory.rules
    why = "estop" if memory.estopped else LEFT_DAMPED if memory.left_damped else None
    why = why or limits.not_standing(rules.limits, memory.state)
    target = limits.resting_target(rules.limits, memory.state) if why else rules.limits.stance
    memory = rebased(memory, target)
    if why:
        return entered(memory, Rung(Stage.DAMP, now, target, why))
    return entered(memory, Rung(Stage.STANCE, now, target, "start"))


def _released(memory: GateMemory, now: int) -> GateMemory:
    """After a reset of the simulation, damping ends when the state shows the robot in its stance, upright and still."""
    if not memory.release or not_ready(memory, now) or limits.not_standing(memory.rules.limits, memory.state):
        return memory
    stance = memory.rules.limits.stance
    freed = replace(rebased(memory, stance), news=(*memory.news, ("release", memory.release)), release="")
    return entered(freed, Rung(Stage.STANCE, now, stance, "reset", placed=True))


def _command(memory: GateMemory, held, robot_ns: int, now: int, within_limits) -> tuple[Command, tuple[str, ...]]:
    rules, rung = memory.rules, memory.rung
    if rung.stage is Stage.DAMP:
        target = limits.resting_target(rules.limits, memory.state)
        return Command(robot_ns, target, rules.end_mode, Action.DAMP, -1, 0), ()
    if rung.stage is Stage.FOLLOW:
        plan, point = held
        wanted, whole = rungs.faded_in(rules.ladder, rung, point, now)
        target, limited = within_limits(wanted)
        changed = Action.SCALE if targets.TORQUE in limited else Action.CLIP if limited else Action.FOLLOW
        action = changed if whole else Action.HOLD
        return Command(robot_ns, target, RobotMode.POSITION, action, plan.sequence, plan.model), limited
    wanted = rungs.own_target(rules.ladder, rung, now)
    target, limited = within_limits(wanted)
    action = Action.SIT if rung.stage is Stage.SIT else Action.HOLD
    return Command(robot_ns, target, RobotMode.POSITION, action, -1, 0), limited
