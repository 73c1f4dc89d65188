"""A robot that walks before the gate: every part moves and every part knows of it, until a test spoils a sample."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from gate_driver import GO1, MS, Driver, plan, standing

from mbrl_ros.safety import gate
from mbrl_ros.types import FOLLOWED, Action, BaseState, RobotState

WATCHED = replace(GO1, gate=replace(GO1.gate, fade_in=0.0))
SWING = 0.15 + np.zeros(12)  # rad, how far each joint swings
PHASE = np.arange(12.0)  # never all of them at a standstill
TURN = 2 * np.pi / 0.44  # rad/s, of a trot


def walking(ms: float) -> RobotState:
    """Everything moves, and every part knows of it; standing at 0."""
    if ms == 0:
        return standing(0, WATCHED)
    t = ms / 1000
    base = BaseState(
        position=np.array([0.5 * t, 0.0, 0.285 + 0.005 * np.sin(TURN * t)]),
        orientation_wxyz=np.array([1.0, 0.02 * np.sin(TURN * t), 0.0, 0.0]),
        linear_velocity_body=np.array([0.5, 0.0, 0.005 * TURN * np.cos(TURN * t)]),
        angular_velocity_body=np.array([0.04 * TURN * np.cos(TURN * t), 0.0, 0.0]),
    )
    joints = WATCHED.posture + SWING * np.sin(TURN * t + PHASE)
    return RobotState(round(ms * MS), joints, SWING * TURN * np.cos(TURN * t + PHASE), base)


class Walk:
    """A sample every `period` ms, a plan every 20; `spoil` changes the samples."""

    def __init__(self, period: int = 10):
        self.period = period
        self.driver, self.ms, self.spoil = Driver(WATCHED), 0, lambda state: state
        self.spoken: list[str] = []
        self.go(300)
        assert self.command.action == Action.FOLLOW and self.counts == {}

    @property
    def counts(self) -> dict:
        return dict(self.driver.memory.counts)

    @property
    def why(self) -> str:
        return self.driver.memory.rung.why

    def go(self, ms: float, until=lambda command: False):
        """On for `ms`, or until a command is as wanted; returns how long that took."""
        for begun in range(self.ms, self.ms + ms, self.period):
            state = self.spoil(walking(begun))
            driver, now = self.driver, begun * MS
            driver.memory = gate.receive_state(driver.memory, state, now)
            if begun % 20 == 0:
                # What the joints do is what they were told.
                driver.give(plan(begun, driver.sequence, walking(begun + 20).joint_position, WATCHED))
                driver.sequence += 1
            self.command = driver.decide(begun)
            self.spoken += [f"{event.name} {event.message}" for event in driver.decision.events]
            if until(self.command):
                self.ms = begun + self.period
                return begun
        self.ms += ms
        return None


def not_followed(command) -> bool:
    return command.action not in FOLLOWED


class Frozen:
    """Some parts of the state say the same for ever, with fresh stamps."""

    def __init__(self, *parts: str):
        self.parts, self.then = parts, None

    def __call__(self, state: RobotState) -> RobotState:
        self.then = self.then or state
        for part in self.parts:
            if part.startswith("joint"):
                state = replace(state, **{part: getattr(self.then, part)})
            else:
                state = replace(state, base=replace(state.base, **{part: getattr(self.then.base, part)}))
        return state


IMU = ("orientation_wxyz", "angular_velocity_body")
ODOM = ("position", "linear_velocity_body")
ENCODERS = ("joint_position", "joint_velocity")
PARTS = {"imu frozen": IMU, "odom frozen": ODOM, "encoders frozen": ENCODERS}


def stuck(joint: int, ms: float):
    """One joint stays where it was at `ms`, and says so."""
    there = walking(ms).joint_position[joint]

    def spoil(state: RobotState) -> RobotState:
        position, velocity = state.joint_position.copy(), state.joint_velocity.copy()
        position[joint], velocity[joint] = there, 0.0
        return replace(state, joint_position=position, joint_velocity=velocity)

    return spoil
