"""What a person, the simulation or the driver may ask of the gate, and the moves up and down that follow."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

import numpy as np

from mbrl_ros.safety import envelope as limits
from mbrl_ros.safety import plans as book
from mbrl_ros.safety import targets
from mbrl_ros.safety.ladder import Rung, Stage
from mbrl_ros.safety.memory import GateMemory, clock, tilt

LEFT_DAMPED = "the robot was left damped, by its driver or on deactivation: call stand_up"


class Request(StrEnum):
    ESTOP = "estop"
    ESTOP_RESET = "estop_reset"
    STAND_UP = "stand_up"
    SIT_DOWN = "sit_down"
    SIM_RESET = "sim_reset"  # the simulation put the robot back into its stance
    LEFT_DAMPED = "left_damped"  # before this guard came: another one has died, or it was deactivated itself
    DRIVER_DAMPED = "driver_damped"  # the driver damped by itself for a while
    PAUSE = "pause"  # the simulation stands still: no age grows
    RESUME = "resume"


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
    why = not_ready(memory, now)
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
    why = not_ready(memory, now)
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
    return entered(memory, Rung(Stage.SIT, now, memory.target, "sit_down")), "sitting down"


def _sim_reset(memory: GateMemory, now: int, steady_ns: int):
    """The robot stands in stance again, and so does the guard's target; a fall is over once the state shows it."""
    if not memory.rules.simulation:
        return None, "only a simulation can be reset"
    stage = memory.rung.stage if memory.rung else None
    again = replace(memory, plans=book.emptied(memory.plans))
    if memory.estopped or stage in (None, Stage.SIT):
        return again, "plans dropped"
    if stage is Stage.DAMP:
        if not memory.rung.fell:
            return again, "still damped: call stand_up"
        return replace(again, release="reset"), "damping ends when the robot is upright and still"
    stance = again.rules.limits.stance
    return entered(rebased(again, stance), Rung(Stage.STANCE, now, stance, "reset", placed=True)), "holding stance"


def _left_damped(memory: GateMemory, now: int, steady_ns: int):
    if memory.rung is None:
        return replace(memory, left_damped=True), "waiting for stand_up"
    if memory.rung.stage is Stage.DAMP:
        return memory, "already damped"
    return entered(memory, Rung(Stage.DAMP, now, memory.target, LEFT_DAMPED)), "waiting for stand_up"


def _driver_damped(memory: GateMemory, now: int, steady_ns: int):
    if memory.rung is None or memory.rung.stage is Stage.DAMP:
        return memory, "nothing to do"
    return from_measured(memory, now, "driver damped"), "fading in from the measured posture"


def _pause(memory: GateMemory, now: int, steady_ns: int):
    """No age grows, so nothing leads down the ladder: harmless only where robot time stands still too."""
    if not memory.rules.simulation:
        return None, "only a simulation can be paused"
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
    Request.LEFT_DAMPED: _left_damped,
    Request.DRIVER_DAMPED: _driver_damped,
    Request.PAUSE: _pause,
    Request.RESUME: _resume,
}


def not_ready(memory: GateMemory, now: int) -> str | None:
    """Why a damped robot may not be moved again."""
    if memory.state is None:
        return "no state has come yet"
    if now - memory.trusted_ns > memory.rules.max_age_ns:
        return f"the state is too old{memory.unbelieved and f': {memory.unbelieved}'}"
    return tilt(memory, now) or limits.unrest(memory.rules.limits, memory.state)


def entered(memory: GateMemory, rung: Rung) -> GateMemory:
    """On another rung, and everyone will hear of it."""
    name = "fall" if rung.fell and memory.rung is not None else "mode"
    return replace(memory, rung=rung, news=(*memory.news, (name, f"{rung.stage}: {rung.why}")))


def _rising(memory: GateMemory, now: int, why: str) -> GateMemory:
    """From where the joints are to stance; robots without a posture have nothing to raise."""
    target = limits.resting_target(memory.rules.limits, memory.state)
    stage = Stage.RISE if memory.rules.limits.position_interface else Stage.STANCE
    return entered(replace(rebased(memory, target), release=""), Rung(stage, now, target, why))


def from_measured(memory: GateMemory, now: int, why: str) -> GateMemory:
    """The same rung again (a followed plan is faded in again) from the measured posture."""
    target = limits.resting_target(memory.rules.limits, memory.state)
    stage = Stage.STANCE if memory.rung.stage is Stage.FOLLOW else memory.rung.stage
    return entered(rebased(memory, target), Rung(stage, now, target, why))


def rebased(memory: GateMemory, target: np.ndarray) -> GateMemory:
    """With `target` as where targets are limited from, at rest: what moved them before says nothing of it."""
    return replace(memory, step=targets.at_rest(target))
