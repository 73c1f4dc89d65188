"""The planner node: a complete state in, a plan out; and what came of it, as transitions, to the learner."""

from __future__ import annotations

import gc
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from rclpy.clock import Clock, ClockType

from mbrl_ros.config import ConfigError
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.recorder import Recorder
from mbrl_ros.control.velocity_command import VelocityCommand
from mbrl_ros.data.pairing import BREAKS, Pairing, Step
from mbrl_ros.data.steps import StepClock
from mbrl_ros.dynamics.storage import ModelRefused, from_bytes
from mbrl_ros.learning.models import load_model
from mbrl_ros.nodes import convert, topics
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.nodes.assembler import subscribe_state
from mbrl_ros.nodes.lockstep import LearnerInStep
from mbrl_ros.nodes.params import Settings
from mbrl_ros.nodes.plan_markers import markers
from mbrl_ros.nodes.run import ManagedNode, run_node
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.settings import PlannerConfig
from mbrl_ros.types import Action, Event, RobotState

IDLE = 1.0  # s
DIAGNOSTICS_PERIOD = 0.5  # s
METRICS_PERIOD = 0.1  # s
PLAN_TIMES = 500  # plans behind the percentiles
METRICS = (keys.PLAN_MS, keys.MODEL_VERSION, keys.COMMANDED_VX, keys.MEASURED_VX)
ROLL_BACK_AFTER = 5  # ticks in a row without a plan, by which time the guard holds stance


class Planner(ManagedNode):
    def __init__(self):
        super().__init__("planner")
        self._settings = Settings(self, PlannerConfig(), self._on_settings, _check_mode)

    def configure(self) -> None:
        config = self._settings.current
        torch.set_num_threads(config.threads)
        self._spec = load_robot(config.robot)
        self._agent = Agent(self._spec, config)
        found = load_model(config.model, "", self._agent.layout) if config.mode != "observe" else None
        self._flown: tuple[object, int] | None = (found[0], found[1].version) if found else None
        if self._flown:
            self._agent.set_model(*self._flown)
        self._flown_before: tuple[object, int] | None = None
        self._loading: deque[Future] = deque()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="model")
        self._in_step = LearnerInStep(self, config.train_every) if config.lockstep and config.learning else None
        self._plans = topics.publisher(self, topics.PLAN)
        self._transitions = topics.publisher(self, topics.TRANSITION)
        self._model_status = topics.publisher(self, topics.MODEL_STATUS)
        self._diagnostics = topics.publisher(self, topics.DIAGNOSTICS)
        self._markers = topics.publisher(self, topics.PLAN_MARKERS)
        self._metrics = {name: topics.publisher(self, topics.metric(name)) for name in METRICS}
        self._assembler = subscribe_state(self, self._spec, self._on_sample)
        topics.subscription(self, topics.EVENTS, self._on_event)
        topics.subscription(self, topics.MODEL, self._on_model)
        if config.mode == "observe":
            topics.subscription(self, topics.commands(self._spec), self._on_foreign_command)
        else:
            topics.subscription(self, topics.APPLIED, self._on_applied)
        cmd_vel = topics.CMD_VEL_STAMPED if config.stamped_command else topics.CMD_VEL
        topics.subscription(self, cmd_vel, self._on_command)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(METRICS_PERIOD, self._report_metrics, clock=steady)
        self.create_timer(DIAGNOSTICS_PERIOD, self._report_diagnostics, clock=steady)

    def activate(self) -> None:
        self._agent.warm_up()
        self._steps = StepClock(self._spec.dt_ns, self._spec.sample_period_ns)
        self._pairing = Pairing(self._spec)
        self._recorder = Recorder(self._agent.layout, self._agent.task, time.time_ns())
        self._command = VelocityCommand()
        self._state: RobotState | None = None  # the newest step's
        self._newest: tuple[int, int] | None = None  # robot time of the newest sample, and steady time of its receipt
        self._due: tuple[RobotState, int] | None = None  # a step to plan from, and when it came (steady time)
        self._offered: tuple[RobotState, int] | None = None  # the same, a round of callbacks ago
        self._waiting: RobotState | None = None  # lockstep: a state that must not be planned from yet
        self._paired: RobotState | None = None  # lockstep: the newest that pairing has seen
        self._applied_until_ns: int | None = None  # robot time of the newest `applied`
        self._refused: dict[int, str] = {}  # versions that will never be flown, and why
        self._swaps = self._late = self._no_plans = self._no_plans_in_a_row = 0
        self._plan_ms: deque[float] = deque(maxlen=PLAN_TIMES)
        self._tell_model("")
        # What is there now stays: later collections need not look at it.
        gc.collect()
        gc.freeze()

    def deactivate(self) -> None:
        self._due = self._offered = self._waiting = None

    # What comes in

    def _on_sample(self, state: RobotState) -> None:
        if not self.active:
            return
        received = time.monotonic_ns()
        if self._settings.current.lockstep:
            self._in_lockstep(state)
            return
        self._newest = (state.stamp_ns, received)
        self._record(self._pairing.state(state))
        verdict = self._steps.accept(state.stamp_ns)
        if verdict == "restart":
            self._agent.forget()
        if verdict != "between":
            self._due = (state, received)

    def work(self) -> float:
        """Plans, once a round of callbacks has brought no newer state: never from one that waited in a queue."""
        if not self.active:
            return IDLE
        due, self._due, before = self._due, None, self._offered
        self._offered = due
        if due is None:
            return IDLE
        if due is not before:
            self._due = due
            return 0.0
        self._tick(*due)
        return IDLE

    def _on_applied(self, message) -> None:
        if not self.active:
            return
        try:
            told = convert.applied_of(message, self._spec)
        except convert.Refused as refusal:
            self.get_logger().error(f"applied: {refusal}", throttle_duration_sec=2.0)
            return
        self._agent.note_applied(told.stamp_ns, told.target, told.action)
        self._record(self._pairing.applied(told.stamp_ns, told.target, told.action, told.model))
        self._applied_until_ns = told.stamp_ns
        if self._waiting is not None:
            self._in_lockstep(self._waiting)

    def _on_foreign_command(self, message) -> None:
        """Observing: somebody else drives, and what they command is what is applied."""
        if not self.active or self._newest is None:
            return
        try:
            target = convert.target_of(message, self._spec)
        except convert.Refused as refusal:
            self.get_logger().error(f"commands: {refusal}", throttle_duration_sec=2.0)
            return
        stamp_ns, received = self._newest
        stamp_ns += time.monotonic_ns() - received
        self._record(self._pairing.applied(stamp_ns, target, Action.FOLLOW, 0))

    def _on_event(self, message) -> None:
        if not self.active or message.name not in BREAKS or self._state is None:
            return
        try:
            event = convert.event_of(message)
        except convert.Refused as refusal:
            self.get_logger().error(str(refusal), throttle_duration_sec=2.0)
            return
        if event.stamp_ns >= self._state.stamp_ns - self._spec.dt_ns:
            self._start_anew(event)

    def _on_command(self, message) -> None:
        if not self.active:
            return
        try:
            self._command.receive(convert.velocity_command_of(message), self._now())
        except convert.Refused as refusal:
            self._command.refused += 1
            self.get_logger().warning(f"cmd_vel: {refusal}", throttle_duration_sec=2.0)

    def _on_model(self, message) -> None:
        """Read beside the running one, in a thread of its own; taken over between two ticks."""
        if self._settings.current.mode == "observe":
            return
        self._loading.append(self._loader.submit(from_bytes, convert.bytes_of(message), self._agent.layout))
        if self.active and self._waiting is not None:
            self._in_lockstep(self._waiting)

    def _on_settings(self, config: PlannerConfig) -> None:
        if hasattr(self, "_agent"):
            self._agent.configure(config)

    # One control step

    def _in_lockstep(self, state: RobotState) -> None:
        """Plans once what was applied before is known and the learner is done; a repeated state gets the same plan."""
        self._waiting = state
        since = None if self._state is None else state.stamp_ns - self._state.stamp_ns
        new = since != 0
        if since is not None and since < 0:  # robot time began again
            self._applied_until_ns = None
        elif since and since < 1.5 * self._spec.dt_ns:
            behind = self._applied_until_ns is None or self._applied_until_ns < self._state.stamp_ns
            if behind and self._settings.current.mode != "observe":
                return
        if new and state is not self._paired:
            self._paired = state
            self._record(self._pairing.state(state))
            if self._steps.accept(state.stamp_ns) == "restart":
                self._agent.forget()
        if new and self._in_step and not self._learner_done(state):
            return
        self._waiting = None
        self._tick(state, time.monotonic_ns())

    def _learner_done(self, state: RobotState) -> bool:
        """Takes a model over when the learner has named it, and not already when it comes: the same step every time."""
        if self._known_version() < self._in_step.version:
            self._take_models()
        return self._in_step.ready(self._recorder.sent, self._known_version(), lambda: self._retry(state))

    def _known_version(self) -> int:
        return max([self._agent.model_version, *self._refused])

    def _retry(self, state: RobotState) -> None:
        if self.active and self._waiting is state:
            self._in_lockstep(state)

    def _tick(self, state: RobotState, received_ns: int) -> None:
        config = self._settings.current
        self._state = state
        if config.mode == "observe":
            self._recorder.note(state.stamp_ns, self._wanted(), 0.0, False)
            return
        wanted = self._wanted()
        plan = self._agent.act(state, wanted)
        if isinstance(plan, NoPlan):
            self._without_plan(plan.reason)
            return
        self._plans.publish(convert.plan_message(plan, self._spec))
        took_ms = (time.monotonic_ns() - received_ns) / 1e6
        self._plan_ms.append(took_ms)
        self._late += took_ms > self._spec.dt * 1e3
        self._recorder.note(state.stamp_ns, wanted, self._agent.phase(state.stamp_ns), plan.exploring)
        self._no_plans_in_a_row = 0
        if self._in_step is None:
            self._take_models()

    def _without_plan(self, reason: str) -> None:
        """The guard goes to stance by itself; a model that has brought it there is not flown again."""
        self._no_plans += 1
        self._no_plans_in_a_row += 1
        self.get_logger().error(f"no plan: {reason}", throttle_duration_sec=1.0)
        if self._no_plans_in_a_row >= ROLL_BACK_AFTER and self._flown_before is not None:
            version = self._agent.model_version
            self._refused[version] = reason
            self._fly(*self._flown_before)
            self._flown_before = None
            self._tell_model(f"back from model {version} to {self._agent.model_version}: {reason}")
        elif self._in_step is None:
            self._take_models()

    def _wanted(self) -> np.ndarray:
        if self._agent.task.command_size == 0:
            return np.zeros(0)
        c = self._settings.current
        return self._command.at(self._now(), c.command_timeout, c.speed_limit, c.yaw_rate_limit)

    def _now(self) -> int:
        """Steady time; in lockstep robot time, so that no age depends on how fast the machine is."""
        if not self._settings.current.lockstep:
            return time.monotonic_ns()
        newest = self._waiting or self._state
        return newest.stamp_ns if newest else 0

    def _record(self, steps: list[Step]) -> None:
        for step in steps:
            self._transitions.publish(convert.transition_message(self._recorder.transition(step)))

    def _start_anew(self, event: Event) -> None:
        self._record(self._pairing.event(event))
        self._steps.restart()
        self._agent.forget()

    # Models

    def _take_models(self) -> None:
        """Takes over what has been loaded meanwhile, in the order in which it came; in lockstep, waits for it."""
        while self._loading and (self._loading[0].done() or self._settings.current.lockstep):
            try:
                model, card = self._loading.popleft().result()
            except ModelRefused as refusal:
                if refusal.version is not None and refusal.version != self._agent.model_version:
                    self._refused[refusal.version] = str(refusal)
                self._tell_model(f"refused a model: {refusal}")
                continue
            if card.version not in self._refused and card.version != self._agent.model_version:
                self._flown_before = self._flown
                self._fly(model, card.version)
                self._tell_model("")

    def _fly(self, model, version: int) -> None:
        self._agent.set_model(model, version)
        self._flown = (model, version)
        self._swaps += 1
        self._no_plans_in_a_row = 0

    def _tell_model(self, trouble: str) -> None:
        if trouble:
            self.get_logger().error(trouble)
        values = {keys.VERSION: self._agent.model_version}
        values |= {f"refused {version}": why for version, why in self._refused.items()}
        level = convert.ERROR if trouble else convert.OK
        text = trouble or f"flying model {self._agent.model_version}"
        self._model_status.publish(convert.status(self.get_fully_qualified_name(), text, values, level))

    # What it says about itself

    def _report_metrics(self) -> None:
        if not self.active:
            return
        for name, value in self._numbers().items():
            if self._metrics[name].get_subscription_count():
                self._metrics[name].publish(convert.number_message(value))
        if self._markers.get_subscription_count():
            trace = self._agent.trace()
            if trace is not None and self._state is not None and self._state.base is not None:
                self._markers.publish(markers(trace.numpy(), self._agent.layout, self._spec.dt, self._state.stamp_ns))

    def _numbers(self) -> dict[str, float]:
        base = self._state.base if self._state else None
        wanted = self._wanted()
        return {
            keys.PLAN_MS: self._plan_ms[-1] if self._plan_ms else 0.0,
            keys.MODEL_VERSION: float(self._agent.model_version),
            keys.COMMANDED_VX: float(wanted[0]) if len(wanted) else 0.0,
            keys.MEASURED_VX: float(base.linear_velocity_body[0]) if base else 0.0,
        }

    def _report_diagnostics(self) -> None:
        if not self.active:
            return
        times = np.array(self._plan_ms) if self._plan_ms else np.zeros(1)
        values = {
            keys.MODE: self._agent.mode,
            keys.PLAN_MS_P50: float(np.percentile(times, 50)),
            keys.PLAN_MS_P99: float(np.percentile(times, 99)),
            keys.LATE_STEPS: self._late,
            keys.MODEL_VERSION: self._agent.model_version,
            keys.TRANSITIONS: self._recorder.sent,
            keys.SWAPS: self._swaps,
            "no_plans": self._no_plans,
            "pairs_dropped": self._pairing.dropped,
            "cmd_vel_refused": self._command.refused,
            **self._assembler.refused,
        }
        level, text = (convert.OK, self._agent.mode) if self._state else (convert.WARN, "no complete state yet")
        status = convert.status(self.get_fully_qualified_name(), text, values, level)
        self._diagnostics.publish(convert.diagnostics_message(self.get_clock().now().nanoseconds, [status]))


def _check_mode(now: PlannerConfig, new: PlannerConfig) -> None:
    if now.mode != new.mode and "observe" in (now.mode, new.mode):
        raise ConfigError("mode observe is chosen at the start, since no guard runs beside it")


def main() -> int:
    return run_node(Planner)


if __name__ == "__main__":
    raise SystemExit(main())
