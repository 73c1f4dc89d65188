"""The gate under any sequence of states, plans, requests and times: what it lets through is always safe.

Held after each command: it is finite, within the limits of the robot file and no faster than they allow; no plan is
followed that was refused or is too old; an estop stays until it was reset; what cannot be believed changes nothing.
"""

import math
from collections import deque
from dataclasses import replace

import numpy as np
from fuzzing import numbers, plain, tried
from gate_driver import CARTPOLE, GO1, MS, QUICK, plan, standing
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mbrl_ros.safety import gate
from mbrl_ros.safety.envelope import STILL_SPEED, STILL_TURN
from mbrl_ros.safety.gate import Request
from mbrl_ros.settings import GuardConfig
from mbrl_ros.types import NS, BaseState, Plan, RobotMode, RobotState

MOST_NS = (2**31 - 86_400) * NS  # later stamps are no messages
JUMPS = (Request.SIM_RESET, Request.DRIVER_DAMPED, Request.STAND_UP, Request.ESTOP_RESET)  # from another posture on
REMEMBERED = 30  # commands that the next one is compared with

SLOW = replace(QUICK, joints=tuple(replace(joint, velocity=1.0) for joint in QUICK.joints))

moments = st.one_of(st.integers(0, 30), st.integers(0, 250), st.integers(0, 20_000)).map(lambda ms: ms * MS)
shifts = st.one_of(st.just(0), st.integers(-300, 300).map(lambda ms: ms * MS), st.integers(-MOST_NS, MOST_NS))
rarely = st.sampled_from([False, False, False, True])
rows = st.lists(st.one_of(st.sampled_from([-3.0, 3.0, 0.0]), plain), min_size=1, max_size=3)
several = st.lists(numbers, min_size=1, max_size=3)


def spread(values, count: int) -> np.ndarray:
    return np.array([values[i % len(values)] for i in range(count)])


class GateUnderFire(RuleBasedStateMachine):
    @initialize(spec=st.sampled_from([GO1, QUICK, SLOW, SLOW, CARTPOLE]), simulation=st.booleans(), now=moments)
    def begin(self, spec, simulation, now):
        self.spec, self.config = spec, GuardConfig()
        self.memory = gate.initial(spec, self.config, simulation)
        self.now = now + NS
        self.estopped = False
        self.given: dict[int, int] = {}  # sequences of plans that were taken, and when the newest of each was
        self.commands: deque[tuple[int, np.ndarray]] = deque(maxlen=REMEMBERED)  # since the last jump that may be
        self.last_ns: int | None = None  # clock at the last command
        self.sequence = 0

    # Time

    @rule(passed=moments)
    def time_passes(self, passed):
        self.now += passed

    # What comes in

    @rule(stamp=shifts, position=several, velocity=several, about=numbers, kind=st.integers(0, 9))
    def state(self, stamp, position, velocity, about, kind):
        """Any: most of them in place but for a few numbers."""
        joints = len(self.spec.joints) - (kind == 0)
        stamp_ns = min(max(self._stamp() + stamp, 0), MOST_NS)
        state = RobotState(stamp_ns, spread(position, joints), spread(velocity, joints), self._base(about, kind))
        before = self.memory
        self._receive(state)
        if not state.is_finite() or joints != len(self.spec.joints):
            assert self.memory.state is before.state and self.memory.state_ns == before.state_ns

    def _base(self, about, kind):
        if self.spec.base is None or kind == 1:
            return None
        parts = [np.array([0.0, 0.0, 0.3]), np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3), np.zeros(3)]
        if 2 <= kind <= 5:
            parts[kind - 2] = np.full(len(parts[kind - 2]), about)
        return BaseState(*parts)

    @rule(
        first=shifts,
        row=several,
        points=st.integers(0, 5),
        jump=st.sampled_from([1, 1, 1, 0, -3, 50]),
        step=st.sampled_from([1.0, 1.0, 0.5, 0.0, -1.0, 1e6]),
        stamp=shifts,
        more=st.sampled_from([0, 0, 0, 1, -1]),
    )
    def plan(self, first, row, points, jump, step, stamp, more):
        self.sequence = max(0, self.sequence + jump)
        offsets = tuple(round(first + (1 + i * step) * self.spec.dt_ns) for i in range(points))
        rows = np.resize(np.array(row), (points, len(self.spec.actuated) + more))
        self._give(Plan(min(max(self._stamp() + stamp, 0), MOST_NS), self.sequence, 1, 0, offsets, rows))

    @rule(steps=st.sampled_from([1, 2, 5, 15]), row=rows, after=st.integers(0, 5), blind=rarely)
    def good_steps(self, steps, row, after, blind):
        """As a stack that runs: without them no plan would ever be followed. `blind`: without states."""
        for _ in range(steps):
            self.now += self.spec.dt_ns
            stamp_ns = self._robot_ns() if blind else min(self._stamp() + self.spec.dt_ns, MOST_NS)
            if not blind:
                self._receive(replace(standing(0, self.spec), stamp_ns=stamp_ns))
            self.sequence += 1
            target = spread(row, len(self.spec.actuated))
            self._give(replace(plan(0, self.sequence, target, self.spec, first_ms=0), stamp_ns=stamp_ns))
            self.now += after * MS
            self.decide()

    @rule(speed=plain, part=st.integers(0, 3), wanted=st.sampled_from(Request))
    def request_on_the_move(self, speed, part, wanted):
        """In a state that is believed, whether the robot is still and upright or not."""
        parts = [np.zeros(3), np.zeros(3)]
        if part < 2:
            parts[part][0] = speed
        tilt = speed if part == 2 else 0.0
        about = {
            "linear_velocity_body": parts[0],
            "angular_velocity_body": parts[1],
            "orientation_wxyz": np.array([math.cos(tilt / 2), math.sin(tilt / 2), 0.0, 0.0]),
        }
        state = standing(0, self.spec, **about if self.spec.base is not None else {})
        self._receive(replace(state, stamp_ns=min(self._stamp() + MS, MOST_NS)))
        self.request(wanted)

    @rule(wanted=st.sampled_from(Request))
    def request(self, wanted):
        before = self.memory
        self.memory, granted, message = gate.request(self.memory, wanted, self.now)
        assert message
        if granted and wanted is Request.ESTOP:
            self.estopped = True
        if granted and wanted in (Request.ESTOP_RESET, Request.STAND_UP):
            self._may_be_moved(before, wanted)
        if granted and wanted is Request.ESTOP_RESET:
            self.estopped = False
        if wanted in JUMPS:
            self.commands.clear()

    def _may_be_moved(self, memory, wanted):
        assert wanted is Request.ESTOP_RESET or not self.estopped
        base = memory.state.base
        if wanted is Request.ESTOP_RESET and base is not None:
            assert np.linalg.norm(base.linear_velocity_body) <= STILL_SPEED
            assert np.linalg.norm(base.angular_velocity_body) <= STILL_TURN
            assert base.gravity_body[2] <= self.spec.gate.tilt_gravity_z + 1e-9

    def _receive(self, state):
        before = self.memory
        self.memory = gate.receive_state(self.memory, state, self.now)
        if before.state is not None and self.memory.state.stamp_ns < before.state.stamp_ns:
            self.commands.clear()  # robot time begins again

    def _give(self, offered):
        before = gate.newest_plan(self.memory)
        self.memory = gate.receive_plan(self.memory, offered, self.now)
        taken = gate.newest_plan(self.memory) is offered
        nearest = 0.99 * self.spec.dt_ns
        wrong = (
            offered.targets.shape != (len(offered.offsets_ns), len(self.spec.actuated))
            or not np.isfinite(offered.targets).all()
            or not offered.offsets_ns
            or any(b - a < nearest for a, b in zip(offered.offsets_ns, offered.offsets_ns[1:], strict=False))
        )
        assert not (wrong and taken)
        assert taken or gate.newest_plan(self.memory) is before, "what is refused changes nothing"
        if taken:
            self.given[offered.sequence] = self.now

    def _robot_ns(self) -> int:
        return min(gate.robot_time(self.memory, self.now), MOST_NS)

    def _stamp(self) -> int:
        return self.memory.state.stamp_ns if self.memory.state else 0

    # What comes out

    @rule()
    def decide(self):
        robot_ns = gate.robot_time(self.memory, self.now)
        self.memory, decision = gate.decide(self.memory, robot_ns, self.now)
        if decision.command is None:
            assert self.memory.state is None
            return
        self._is_safe(decision.command, robot_ns)
        again, same = gate.decide(self.memory, robot_ns, self.now)
        assert again is self.memory and same.command is decision.command

    def _is_safe(self, command, robot_ns):
        low, high = self.spec.target_limits
        assert command.target.shape == low.shape and np.isfinite(command.target).all()
        assert ((command.target >= low - 1e-9) & (command.target <= high + 1e-9)).all(), "outside the limits"
        assert command.mode in (RobotMode.POSITION, RobotMode(self.spec.safe_sequence[-1]))
        assert command.mode is not RobotMode.POSITION or not self.estopped, "moves though an estop is latched"
        if command.plan_sequence >= 0:
            self._may_be_followed(command)
        self._is_slow_enough(command, robot_ns)

    def _may_be_followed(self, command):
        assert command.mode is RobotMode.POSITION
        assert command.plan_sequence in self.given, "follows a plan that was refused"
        most_ns = round(self.config.max_age * NS)
        assert gate.plan_age(self.memory, self.now) <= most_ns and gate.state_age(self.memory, self.now) <= most_ns

    def _is_slow_enough(self, command, robot_ns):
        """In so many steps a target changes by so many step limits, and those of the steps it began and ended in."""
        most, dt_ns = self.spec.target_step_limit, self.spec.dt_ns
        if self.commands:
            robot_ns = max(robot_ns, self.commands[-1][0])  # where a state says that it is earlier than was thought
        now = gate.clock(self.memory, self.now)
        silent = self.last_ns is None or now - self.last_ns > self.memory.rules.uncommanded_ns
        self.last_ns = now
        if command.mode is not RobotMode.POSITION or silent:
            self.commands.clear()  # the joints are where they are
        if command.mode is RobotMode.POSITION:
            for then_ns, target in self.commands:
                steps = math.ceil((robot_ns - then_ns) / dt_ns) + 2
                assert (np.abs(command.target - target) <= steps * most + 1e-6).all(), "moves faster than it may"
            self.commands.append((robot_ns, command.target))

    @precondition(lambda self: hasattr(self, "memory"))
    @invariant()
    def remembers_only_what_is_finite(self):
        memory = self.memory
        assert memory.state is None or memory.state.is_finite()
        assert memory.target is None or np.isfinite(memory.target).all()
        assert len(memory.plans.plans) <= 20 and len(memory.counts) <= 30 and len(memory.news) <= 200


GateUnderFire.TestCase.settings = tried(stateful_step_count=40)
TestGateUnderFire = GateUnderFire.TestCase
