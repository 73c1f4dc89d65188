"""The guard: the only node that tells the robot anything. Wiring around safety/gate.py, which decides.

It sends on every complete state, at once when a plan arrives that already holds, each at `max_rate` at most, and from
its own steady timer only when neither came for a while. In lockstep it answers each plan made from the newest state,
and nothing else.
"""

from __future__ import annotations

import time
from collections import Counter

from rclpy.clock import Clock, ClockType

from mbrl_ros.control import realtime
from mbrl_ros.control.rung_times import RungTimes
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.assembler import subscribe_state
from mbrl_ros.nodes.company import Company
from mbrl_ros.nodes.garbage import GarbageBetweenTicks
from mbrl_ros.nodes.messages.fields import JointOrder, Refused
from mbrl_ros.nodes.messages.motion import applied_message, command_message, mode_message, plan_of
from mbrl_ros.nodes.messages.status import ERROR, OK, WARN, event_message, event_of
from mbrl_ros.nodes.params import Settings
from mbrl_ros.nodes.run import ManagedNode, run_node
from mbrl_ros.nodes.self_report import SelfReport
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.safety import gate, targets
from mbrl_ros.safety.gate import Request
from mbrl_ros.safety.memory import RUNGS, standing
from mbrl_ros.safety.rate import Rate
from mbrl_ros.settings import GuardConfig
from mbrl_ros.types import FOLLOWED, NS, Action, Command, Event, RobotMode, RobotState

WATCH_PERIOD = 0.01  # s
LISTEN_NS = NS  # from the first state on, for latched events: was the robot left damped?
BRIEF_DAMPING_NS = 100_000_000  # up to which a robot that damped itself has hardly moved its joints
EARLY = 0.1  # share of the time between two commands at `max_rate` by which one may come early
SILENCE_NS = 25_000_000  # without a command for this long, the guard repeats one: drivers damp after 50 ms

# What the bridge and drivers announce, and what it means to the gate.
ANNOUNCED = {
    "reset": Request.SIM_RESET,
    "damp": Request.LEFT_DAMPED,
    "obey": Request.DRIVER_DAMPED,
    "pause": Request.PAUSE,
    "resume": Request.RESUME,
}
SERVICES = (
    (topics.ESTOP, Request.ESTOP),
    (topics.ESTOP_RESET, Request.ESTOP_RESET),
    (topics.STAND_UP, Request.STAND_UP),
    (topics.SIT_DOWN, Request.SIT_DOWN),
)
METRICS = (keys.PLAN_AGE_MS, keys.STATE_AGE_MS, keys.CLIPPED_SHARE)
LEVELS = {**dict.fromkeys(FOLLOWED, OK), Action.DAMP: ERROR}


class Guard(ManagedNode):
    def __init__(self):
        super().__init__("guard")
        self._settings = Settings(self, GuardConfig())
        self._estopped = False  # while inactive; an active guard's memory knows
        self._left_damped = False  # by this guard, when it was deactivated

    def configure(self) -> None:
        config = self._settings.current
        self._spec = load_robot(config.robot)
        self._lockstep = config.lockstep
        self._shortest_ns = round((1 - EARLY) * NS / config.max_rate)
        self._samples, self._answers = Rate(config.max_rate), Rate(config.max_rate)
        self._plan_order = JointOrder(self._spec.actuated_names)
        self._commands = topics.publisher(self, topics.commands(self._spec))
        self._modes = topics.publisher(self, topics.ROBOT_MODE)
        self._applied = topics.publisher(self, topics.APPLIED)
        self._events = topics.publisher(self, topics.EVENTS)
        self._assembler = subscribe_state(self, self._spec, self._on_sample, report=self.get_logger().error)
        self._company = Company(self, topics.commands(self._spec), self._on_plan, self._tell_of_stranger)
        topics.subscription(self, topics.EVENTS, self._on_event)
        for entry, wanted in SERVICES:
            service = topics.service(self, entry, lambda wanted=wanted: self._on_request(wanted))
            if wanted is Request.ESTOP:
                self.urgent = (service,)
        if not self._lockstep:
            self.create_timer(WATCH_PERIOD, self._watch, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._report = SelfReport(self, METRICS, self._numbers, self._health)
        self._garbage = GarbageBetweenTicks()

    def activate(self) -> None:
        config = self._settings.current
        self._memory = gate.initial(self._spec, config, simulation=not config.hardware)
        if self._left_damped:
            self._memory, _, _ = gate.request(self._memory, Request.LEFT_DAMPED, self._now())
        if self._estopped:
            self._memory, _, _ = gate.request(self._memory, Request.ESTOP, self._now())
        self._refused_plans = 0  # messages that are no plan for this robot; the gate counts what it refuses itself
        self._actions: Counter[Action] = Counter()
        self._clipped = 0
        self._seen_back = 0  # times that robot time went back, up to the last diagnostics
        self._mode: RobotMode | None = None  # last published
        self._damped_ns: int | None = None  # robot time at which the driver damped itself, until it obeys again
        self._quiet_until_ns = 0  # steady time
        self._sent_ns = 0  # steady time
        self._sent_stamp_ns: int | None = None
        self._rungs = RungTimes(RUNGS)
        for missing in realtime.take(config.realtime):
            self.get_logger().warning(missing)
        self._garbage.begin(time.monotonic_ns())

    def deactivate(self) -> None:
        """The last word: nobody holds the robot from here on, nor once active again before somebody says stand_up.

        An estop stays latched.
        """
        self._estopped = self._memory.estopped
        self._garbage.end()
        if self._sent_stamp_ns is not None:
            self._left_damped = True
            self._set_mode(self._memory.rules.end_mode)

    def farewell(self) -> None:
        if self.active:
            self.deactivate()

    # What comes in

    def _on_sample(self, state: RobotState) -> None:
        if not self.active:
            return
        now = self._now(state.stamp_ns)
        if self._memory.state is None and not self._lockstep:
            self._quiet_until_ns = now + LISTEN_NS
        self._memory = gate.receive_state(self._memory, state, now)
        if self._lockstep:
            self._answer()
        elif self._due(state.stamp_ns) and self._samples.takes(now, EARLY):
            self._send(now)
        self._garbage.after_tick(time.monotonic_ns())

    def _on_plan(self, message) -> None:
        if not self.active:
            return
        try:
            plan = plan_of(message, self._spec, self._plan_order)
        except ValueError as refusal:
            self._refused_plans += 1
            self.get_logger().error(f"plan: {refusal}", throttle_duration_sec=2.0)
            return
        now = self._now()
        self._memory = gate.receive_plan(self._memory, plan, now)
        if self._lockstep:
            self._answer()
        elif gate.newest_plan_holds(self._memory, now) and self._answers.takes(now, EARLY):
            self._send(now)

    def _on_event(self, message) -> None:
        if not self.active or message.name not in ANNOUNCED:
            return
        try:
            event, now = event_of(message), self._now()
        except Refused as refusal:
            self.get_logger().error(str(refusal))
            return
        wanted = ANNOUNCED[event.name]
        latched = self._memory.state is None or event.stamp_ns < self._memory.origin_ns  # of a time before this guard
        if wanted is Request.LEFT_DAMPED and (latched or self._sent_stamp_ns is None):  # the guard before is gone
            self._memory, _, _ = gate.request(self._memory, wanted, now)
        elif latched:
            return
        elif wanted is Request.LEFT_DAMPED:
            self._damped_ns = event.stamp_ns
        elif wanted is Request.DRIVER_DAMPED:
            self._on_obeyed(event, now)
        else:
            self._memory, _, _ = gate.request(self._memory, wanted, now)

    def _on_obeyed(self, event: Event, now: int) -> None:
        """The driver damped itself, and follows commands again: from where its joints are, if they have moved."""
        damped_ns, self._damped_ns = self._damped_ns, None
        if damped_ns is None or event.stamp_ns - damped_ns < BRIEF_DAMPING_NS:
            return
        self._memory, _, message = gate.request(self._memory, Request.DRIVER_DAMPED, now)
        self.get_logger().warning(f"{event.message}: {message}")
        if not self._lockstep:
            self._send(now)

    def _on_request(self, wanted: Request) -> tuple[bool, str]:
        if not self.active:
            if wanted is not Request.ESTOP:
                return False, "the guard is not active"
            self._estopped = True
            return True, "latched: once active, the guard damps until estop_reset"
        self._memory, accepted, message = gate.request(self._memory, wanted, self._now())
        self.get_logger().info(f"{wanted}: {message}")
        if not self._lockstep:
            self._send(self._now())
        return accepted, message

    # What goes out

    def _answer(self) -> None:
        """Lockstep: the plan made from the newest state is in, so its step can be told."""
        heard_ns, newest = self._memory.heard_ns, gate.newest_plan(self._memory)
        if newest is not None and newest.stamp_ns == heard_ns:
            self._send(heard_ns)

    def _watch(self) -> None:
        now = time.monotonic_ns()
        self._garbage.after_tick(now)
        if self.active and not gate.paused(self._memory) and now - self._sent_ns >= SILENCE_NS:
            self._send(now)

    def _due(self, stamp_ns: int) -> bool:
        """Whether a sample of that time comes long enough after the last command."""
        return self._sent_stamp_ns is None or not 0 <= stamp_ns - self._sent_stamp_ns < self._shortest_ns

    def _send(self, now: int) -> None:
        if now < self._quiet_until_ns:
            return
        self._memory, decision = gate.decide(self._memory, gate.robot_time(self._memory, now), now)
        for event in decision.events:
            self._tell(event)
        command = decision.command
        if command is None:
            return
        self._set_mode(command.mode)
        self._commands.publish(command_message(command.target, self._spec))
        self._applied.publish(applied_message(command, self._spec))
        self._sent_ns, self._sent_stamp_ns = now, command.stamp_ns
        self._rungs.stand(standing(self._memory), now)
        self._actions[command.action] += 1
        self._clipped += decision.clipped

    def _set_mode(self, mode: RobotMode) -> None:
        if mode is not self._mode or self._company.mode_is_due():
            self._modes.publish(mode_message(mode))
            self._mode = mode

    def _tell(self, event: Event) -> None:
        self._events.publish(event_message(event))
        if event.name in ("fall", "estop", "stranger"):
            self.get_logger().warning(f"{event.name}: {event.message}")
        else:
            self.get_logger().info(f"{event.name}: {event.message}")

    def _tell_of_stranger(self, what: str) -> None:
        self._tell(Event("stranger", 0 if self._memory.state is None else self._memory.state.stamp_ns, what))

    def _now(self, stamp_ns: int | None = None) -> int:
        """Steady time; in lockstep robot time, so that no age depends on how fast the machine is."""
        if not self._lockstep:
            return time.monotonic_ns()
        if stamp_ns is None:
            return self._memory.heard_ns
        return stamp_ns

    # What it says about itself

    def _health(self) -> tuple[bytes, str, dict]:
        last = self._memory.last
        command = last.command if last else None
        values = {keys.ACTION: command.action if command else "waiting", **self._numbers()}
        values |= self._rungs.diagnostics(self._now())
        values |= {keys.UNBELIEVED: self._memory.unbelieved, keys.DOUBT: self._memory.doubt}
        values |= {keys.LIMITED + kind: 0 for kind in targets.KINDS}
        refused = self._refused_plans + self._company.unopened_plans
        values |= {**self._memory.counts, **self._assembler.refused, "refused_plan_messages": refused}
        level, text = _summary(command, self._memory.rung.why if self._memory.rung else "")
        back_in_all = self._memory.counts.get("state_time_back", 0)
        back, self._seen_back = back_in_all - self._seen_back, back_in_all
        if back > 1:  # one is a robot that started again
            level, text = ERROR, "robot time goes back and forth: do two robots publish in one graph?"
        if trouble := self._company.trouble:
            level, text = ERROR, trouble
        return level, text, values

    def _numbers(self) -> dict[str, float | None]:
        now, sent = self._now(), self._actions.total()
        plan_age, state_age = gate.plan_age(self._memory, now), gate.state_age(self._memory, now)
        return {
            keys.PLAN_AGE_MS: None if plan_age is None else plan_age / 1e6,
            keys.STATE_AGE_MS: None if state_age is None else state_age / 1e6,
            keys.CLIPPED_SHARE: self._clipped / sent if sent else None,
        }


def _summary(command: Command | None, why: str) -> tuple[bytes, str]:
    if command is None:
        return WARN, "no complete state yet"
    return LEVELS.get(command.action, WARN), f"{command.action}: {why}"


def main() -> int:
    return run_node(Guard)


if __name__ == "__main__":
    raise SystemExit(main())
