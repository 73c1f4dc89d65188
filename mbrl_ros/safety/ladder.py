"""The ladder that the guard climbs down when plans or states stop, and up again when it is asked to.

    rise --> stance <--> follow
               |            |
               v            |   plans lost: blend to stance, hold it, sit, damp
    sit <------'            |   state lost: blend to stance, damp
     |                      v
     '------------------> damp   a fall, an estop: at once; left by request only

A robot whose safe sequence has no sit (effort: zero, off) goes from stance straight to the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.settings import GuardConfig
from mbrl_ros.types import NS


class Stage(StrEnum):
    RISE = "rise"  # from where the joints are to stance, slowly
    STANCE = "stance"
    FOLLOW = "follow"
    SIT = "sit"
    DAMP = "damp"


@dataclass(frozen=True, eq=False)
class Ladder:
    """Times in nanoseconds, and the two postures."""

    blend_ns: int
    hold_ns: int
    sit_ns: int
    fade_in_ns: int
    sits: bool
    stance: np.ndarray  # (A,)
    sit: np.ndarray  # (A,)


def ladder(spec: RobotSpec, config: GuardConfig) -> Ladder:
    return Ladder(
        blend_ns=round(config.blend * NS),
        hold_ns=round(config.stance_hold * NS),
        sit_ns=round(config.sit_time * NS),
        fade_in_ns=round(spec.gate.fade_in * NS),
        sits="sit" in spec.safe_sequence,
        stance=spec.stance,
        sit=spec.sit,
    )


@dataclass(frozen=True, eq=False)
class Rung:
    """Where on the ladder the guard stands, since when, and the target it came with."""

    stage: Stage
    since_ns: int
    begin: np.ndarray  # (A,)
    why: str
    fell: bool = False  # damped because the robot was not upright: what a reset of the simulation mends
    placed: bool = False  # a reset has just put the robot into stance: plans need no long fade-in


@dataclass(frozen=True)
class Signs:
    """What the ladder looks at."""

    followable: bool  # a fresh plan covers now
    plans_lost_ns: int  # since a plan could last be followed; 0 where none has come since activation
    state_lost_ns: int  # how long the state has been too old; 0 or less while it is not
    plans_lost: str  # why no plan is followed, where none is
    state_lost: str  # why the state is too old, where it is
    tilted: str | None  # none where nobody knows
    low: str | None


def next_rung(times: Ladder, rung: Rung, signs: Signs, now_ns: int, target: np.ndarray) -> Rung:
    """The rung to stand on now; `target` is the one last sent."""
    stage, elapsed, state_lost = rung.stage, now_ns - rung.since_ns, signs.state_lost_ns > 0
    if stage is Stage.DAMP:
        return rung
    # Rising and sitting are low by nature.
    fallen = signs.tilted or (signs.low if stage in (Stage.STANCE, Stage.FOLLOW) else None)
    if fallen:
        return Rung(Stage.DAMP, now_ns, target, fallen, fell=True)
    if state_lost and signs.state_lost_ns >= times.blend_ns:
        return Rung(Stage.DAMP, now_ns, target, signs.state_lost)
    if stage is Stage.RISE and elapsed >= times.sit_ns:
        return next_rung(times, Rung(Stage.STANCE, now_ns, times.stance, "risen"), signs, now_ns, target)
    if stage is Stage.STANCE and signs.followable:
        return Rung(Stage.FOLLOW, now_ns, target, "plans", placed=rung.placed)
    if stage is Stage.STANCE and min(elapsed, signs.plans_lost_ns) >= times.blend_ns + times.hold_ns:
        return Rung(Stage.SIT if times.sits else Stage.DAMP, now_ns, target, signs.plans_lost)
    if stage is Stage.SIT and elapsed >= times.sit_ns:
        return Rung(Stage.DAMP, now_ns, target, "sat down")
    if stage is Stage.FOLLOW and not signs.followable:
        return Rung(Stage.STANCE, now_ns, target, signs.state_lost if state_lost else signs.plans_lost)
    return rung


def own_target(times: Ladder, rung: Rung, now_ns: int) -> np.ndarray:
    """(A,) the guard's own target on rungs that follow no plan."""
    elapsed = now_ns - rung.since_ns
    if rung.stage is Stage.STANCE:
        return _between(rung.begin, times.stance, elapsed, times.blend_ns)
    if rung.stage is Stage.RISE:
        return _between(rung.begin, times.stance, elapsed, times.sit_ns)
    if rung.stage is Stage.SIT:
        return _between(rung.begin, times.sit, elapsed, times.sit_ns)
    return rung.begin


def faded_in(times: Ladder, rung: Rung, plan_target: np.ndarray, now_ns: int) -> tuple[np.ndarray, bool]:
    """(A,) the plan's target, approached from the guard's own over the fade-in; and whether that is over."""
    elapsed = now_ns - rung.since_ns
    duration = times.blend_ns if rung.placed else times.fade_in_ns
    if elapsed >= duration:
        return plan_target, True
    return _between(rung.begin, plan_target, elapsed, duration), False


def _between(begin: np.ndarray, end: np.ndarray, elapsed_ns: int, duration_ns: int) -> np.ndarray:
    if elapsed_ns >= duration_ns:
        return end
    return begin + (end - begin) * (elapsed_ns / duration_ns)
