"""A simulated robot on ROS topics, as a hardware driver would be. backends/driver.py decides; this wires, in time.

In real time it takes in what was told before every physics step. Lateness of less than a sample is made up for, as the
scheduler of any machine is late by that much; where it is more, robot time slips, and the slip is counted. In lockstep
it steps dt on the `applied` stamped with the state it last published, and repeats that state until then. What is told
and heard goes through the faults that were asked for (backends/fault_injector.py); without any, as it is.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from functools import partial

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.parameter import Parameter

from mbrl_ros.backends import new_backend
from mbrl_ros.backends.driver import SimulatedDriver
from mbrl_ros.backends.fault_injector import FaultInjector
from mbrl_ros.backends.faults import COMMANDS, IMU, JOINT_STATES, Fault, parse
from mbrl_ros.backends.urdf import urdf_text
from mbrl_ros.control import realtime
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.endpoints import NAMELESS, gid_of, named, publishers_of
from mbrl_ros.nodes.messages.fields import JointOrder, Refused
from mbrl_ros.nodes.messages.motion import applied_of, mode_of, target_of
from mbrl_ros.nodes.messages.state import clock_message, imu_message, joint_state_message, odometry_message
from mbrl_ros.nodes.messages.status import (
    ERROR,
    OK,
    WARN,
    diagnostics_message,
    event_message,
    number_message,
    status_message,
    text_message,
)
from mbrl_ros.nodes.params import Settings
from mbrl_ros.nodes.refusals import Refusals
from mbrl_ros.nodes.rivals import Rivals
from mbrl_ros.nodes.run import run_node
from mbrl_ros.nodes.self_report import DIAGNOSTICS_PERIOD, METRICS_PERIOD
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.settings import BridgeConfig
from mbrl_ros.types import NS, Event, RobotState

LEAST_SAMPLE_RATE = 100.0  # Hz
REPEAT_PERIOD = 0.2  # s of wall time between two copies of one state in lockstep
REAL_TIME_FACTOR = "real_time_factor"  # robot time per wall time, over the last second
TRUE_VX = "true_vx"  # m/s, body frame
METRICS = (REAL_TIME_FACTOR, keys.SLIPPED_SECONDS, TRUE_VX)
TWO_ROBOTS = "another robot publishes on joint_states: end one, or give each its namespace or ROS_DOMAIN_ID"
FAULTS = "faults"  # the parameter
RIVALS_PERIOD = 1.0  # s between two looks for a second robot on the same topics


class Bridge(Node):
    def __init__(self):
        super().__init__("bridge")
        config = Settings(self, BridgeConfig(), check=lambda now, new: self._parsed(new.faults)).current
        self._lockstep = config.lockstep
        self._spec = load_robot(config.robot)
        self._backend = new_backend(self._spec, config.seed, config.noise, config.latency)
        self._driver = SimulatedDriver(self._spec, self._backend, config.stand_up_after)
        self._faults = FaultInjector(self._spec, self._backend, config.seed)
        self._shown_ns = 0  # stamp of the state last published
        self._steps_per_dt = round(self._spec.dt / self._backend.physics_dt)
        self._steps_per_sample = steps_per_sample(self._spec, self._backend.physics_dt)
        self._steps_since_sample = 0
        self._paused = False
        self._refused = Refusals()
        self._slipped = 0.0  # s
        self._passed: deque[tuple[float, int]] = deque(
            maxlen=11
        )  # steady time and robot time, at each report of metrics
        self._due: float | None = None  # of the next physics step; none before the first and while paused
        self._create_publishers(config.clock)
        self._create_services()
        self._listen()
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        if self._lockstep:
            self.create_timer(REPEAT_PERIOD, self._publish_state, clock=steady)
        self.create_timer(METRICS_PERIOD, self._report_metrics, clock=steady)
        self.create_timer(DIAGNOSTICS_PERIOD, self._report_diagnostics, clock=steady)
        self.create_timer(RIVALS_PERIOD, self._look_for_rivals, clock=steady)
        for missing in realtime.take(config.realtime):
            self.get_logger().warning(missing)
        self._set_faults(config.faults)
        self.add_post_set_parameters_callback(self._on_parameters)
        self._publish_state()

    def _create_publishers(self, clock: bool) -> None:
        self._joint_states = topics.publisher(self, topics.JOINT_STATES)
        with_base = self._spec.base is not None
        self._imu = topics.publisher(self, topics.IMU) if IMU in self._spec.state_topics else None
        self._odom = topics.publisher(self, topics.ODOM) if with_base else None
        self._truth = topics.publisher(self, topics.GROUND_TRUTH) if with_base else None
        self._clocks = topics.publisher(self, topics.CLOCK) if clock else None
        self._events = topics.publisher(self, topics.EVENTS)
        self._diagnostics = topics.publisher(self, topics.DIAGNOSTICS)
        names = METRICS if with_base else [name for name in METRICS if name != TRUE_VX]
        self._metrics = {name: topics.publisher(self, topics.metric(name)) for name in names}
        self._description = topics.publisher(self, topics.ROBOT_DESCRIPTION)
        self._description.publish(text_message(urdf_text(self._spec)))

    def _create_services(self) -> None:
        topics.service(self, topics.RESET_WORLD, self._reset_world)
        topics.service(self, topics.SET_PAUSE, self._set_pause)
        topics.service(self, topics.STEP_SIMULATION, self._step_simulation)
        topics.service(self, topics.CLEAR_FAULTS, self._clear_faults)

    def _listen(self) -> None:
        self._applied_order = JointOrder(self._spec.actuated_names)
        if self._lockstep:
            topics.subscription(self, topics.APPLIED, self._taking(topics.APPLIED.name, self._on_applied))
        else:
            commands = topics.commands(self._spec)
            refuse = partial(self._refuse, commands.name)
            topics.subscription(self, commands, self._taking(commands.name, self._on_command), refuse=refuse)
            self._guard = f"{self.get_namespace().rstrip('/')}/{topics.ROBOT_MODE.publishers}"
            topics.subscription(self, topics.ROBOT_MODE, self._on_mode, raw=True)
        self._rivals, self._rivalled = Rivals(self, topics.JOINT_STATES), False

    # What it is told

    def _taking(self, topic: str, callback):
        """`callback`, with what cannot be used counted and said, once for each reason."""

        def take(message) -> None:
            try:
                callback(message)
            except Refused as refusal:
                self._refuse(topic, refusal)

        return take

    def _refuse(self, topic: str, refusal: ValueError) -> None:
        reason = f"{topic}: {refusal}"
        if self._refused.note(reason):
            self.get_logger().error(f"refused {reason}")

    def _on_command(self, message) -> None:
        self._command(target_of(message, self._spec))

    def _command(self, target: np.ndarray) -> None:
        for _, arrived in self._faults.commanded(target, self._driver.stamp_ns):
            self._obey(arrived)

    def _obey(self, target: np.ndarray) -> None:
        try:
            for event in self._driver.command(target):
                self._tell(event)
        except ValueError as refusal:  # a fault has made it something that is no target
            self._refuse(self._spec.command_topic, refusal)

    def _on_mode(self, content: bytes, info) -> None:
        """While the guard is there, its word counts. Of two by its name both are heard: one may be dead."""
        topic, gid = topics.ROBOT_MODE, gid_of(info)
        there = publishers_of(self, self.resolve_topic_name(topic.name))
        try:
            if gid is not None and self._guard in there.values() and there.get(gid) != self._guard:
                raise Refused(f"of {named(gid, there.get(gid, NAMELESS))}, beside {self._guard}")
            self._driver.set_mode(mode_of(topics.opened(content, topic)))
        except Refused as refusal:
            self._refuse(topic.name, refusal)

    def _on_applied(self, message) -> None:
        """One cycle of lockstep."""
        command = applied_of(message, self._spec, self._applied_order)
        if command.stamp_ns != self._shown_ns or self._paused:
            return
        self._driver.set_mode(command.mode)
        self._command(command.target)
        self._step_dt()

    def _reset_world(self) -> tuple[bool, str]:
        self._tell(self._driver.reset("reset_world"))
        self._publish_state()
        return True, "standing, held until commanded"

    def _set_pause(self, paused: bool) -> tuple[bool, str]:
        if paused != self._paused:
            self._paused, self._due = paused, None
            self._tell(Event("pause" if paused else "resume", self._driver.stamp_ns, "set_pause"))
        return True, "paused" if paused else "running"

    def _step_simulation(self) -> tuple[bool, str]:
        if not self._lockstep:
            return False, "only with lockstep: true; in real time, time cannot be stepped"
        self._step_dt()
        return True, f"robot time {self._driver.stamp_ns} ns"

    # Faults

    def _parsed(self, text: str) -> tuple[Fault, ...]:
        return parse(text, self._spec, self._lockstep)

    def _on_parameters(self, parameters) -> None:
        """Setting the same faults again begins them again."""
        for parameter in parameters:
            if parameter.name == FAULTS:
                self._set_faults(parameter.value)

    def _set_faults(self, text: str) -> None:
        for event in self._faults.set(self._parsed(text), self._driver.stamp_ns):
            self._tell(event)
        self._pass_late()

    def _clear_faults(self) -> tuple[bool, str]:
        running = len(self._faults.running)
        self.set_parameters([Parameter(FAULTS, value="")])
        return True, f"{running} ended" if running else "none was running"

    def _pass_late(self) -> None:
        """What faults held up and let go now."""
        for topic, arrived in self._faults.late(self._driver.stamp_ns):
            if topic == COMMANDS:
                self._obey(arrived)
            else:
                self._say(topic, arrived)

    # Time

    def work(self) -> float:
        """In real time, the next physics step if it is due; returns s until the one after it."""
        if self._lockstep or self._paused:
            return 1.0
        physics_dt, now = self._backend.physics_dt, time.monotonic()
        if self._due is None:
            self._due = now
        if now < self._due:
            return self._due - now
        if now - self._due > self._steps_per_sample * physics_dt:
            self._slipped += now - self._due
            self._due = now
        self._due += physics_dt
        self._advance(1)
        self._steps_since_sample += 1
        if self._steps_since_sample >= self._steps_per_sample:
            self._watch_for_falls()
            self._publish_state()
        return max(0.0, self._due - time.monotonic())

    def _step_dt(self) -> None:
        self._advance(self._steps_per_dt)
        self._watch_for_falls()
        self._publish_state()

    def _advance(self, steps: int) -> None:
        if not self._faults.any:
            for event in self._driver.advance(steps):
                self._tell(event)
            return
        for _ in range(steps):
            for event in self._driver.advance(1):
                self._tell(event)
            for event in self._faults.at(self._driver.stamp_ns):
                self._tell(event)
            self._pass_late()

    def _watch_for_falls(self) -> None:
        for event in self._driver.watch_for_falls():
            self._tell(event)

    # What it says

    def _publish_state(self) -> None:
        self._steps_since_sample = 0
        state = self._backend.measure()
        self._shown_ns = self._faults.shown(state.stamp_ns)
        for topic, arrived in self._faults.sent(state):
            self._say(topic, arrived)
        if state.base is not None and self._truth.get_subscription_count():
            self._truth.publish(odometry_message(self._backend.truth()))
        if self._clocks is not None:
            self._clocks.publish(clock_message(self._shown_ns))

    def _say(self, topic: str, state: RobotState) -> None:
        if topic == JOINT_STATES:
            self._rivals.sent += 1
            self._joint_states.publish(joint_state_message(state, self._spec))
        elif topic == IMU:
            self._imu.publish(imu_message(state))
        else:
            self._odom.publish(odometry_message(state))

    def _tell(self, event: Event) -> None:
        """Stamped by the clock that its driver has; of faults, by the one that nothing happens to."""
        if event.name != "fault":
            event = replace(event, stamp_ns=self._faults.shown(event.stamp_ns))
        self._events.publish(event_message(event))
        self.get_logger().info(f"{event.name}: {event.message}")

    def _report_metrics(self) -> None:
        self._passed.append((time.monotonic(), self._driver.stamp_ns))
        values = {REAL_TIME_FACTOR: self._real_time_factor(), keys.SLIPPED_SECONDS: self._slipped}
        truth = self._backend.truth()
        if truth.base is not None:
            values[TRUE_VX] = truth.base.linear_velocity_body[0]
        for name, value in values.items():
            if self._metrics[name].get_subscription_count():
                self._metrics[name].publish(number_message(value))

    def _real_time_factor(self) -> float:
        if len(self._passed) < 2:
            return 0.0
        (wall_then, robot_then), (wall, robot) = self._passed[0], self._passed[-1]
        return (robot - robot_then) / NS / (wall - wall_then)

    def _report_diagnostics(self) -> None:
        level, text = OK, "held until commanded" if self._driver.held else "driven"
        if self._driver.silent:
            level, text = WARN, f"{'held' if self._driver.held else 'damped'}: no commands"
        running = "; ".join(map(str, self._faults.running))
        if running:
            level, text = WARN, f"{text}; faults: {running}"
        if self._rivalled:
            level, text = ERROR, TWO_ROBOTS
        values = {
            keys.SLIPPED_SECONDS: self._slipped,
            REAL_TIME_FACTOR: self._real_time_factor(),
            "refused_messages": self._refused.total(),
            "robot_mode": self._driver.mode or "not told yet",
            "paused": self._paused,
            keys.FAULTS: running or "none",
        }
        status = status_message(self.get_fully_qualified_name(), text, values, level)
        self._diagnostics.publish(diagnostics_message(self.get_clock().now().nanoseconds, [status]))

    def _look_for_rivals(self) -> None:
        before, self._rivalled = self._rivalled, self._rivals.found()
        if self._rivalled and not before:
            self.get_logger().error(TWO_ROBOTS)
            self._tell(Event("error", self._driver.stamp_ns, TWO_ROBOTS))


def steps_per_sample(spec: RobotSpec, physics_dt: float) -> int:
    """Physics steps between two samples: the most that divides a step of dt and still gives the rate."""
    steps_per_dt = round(spec.dt / physics_dt)
    rate = max(LEAST_SAMPLE_RATE, spec.sample_rate)
    fitting = [n for n in range(1, steps_per_dt + 1) if steps_per_dt % n == 0 and n * physics_dt * rate < 1 + 1e-9]
    return max(fitting, default=1)


def main() -> int:
    return run_node(Bridge)


if __name__ == "__main__":
    raise SystemExit(main())
