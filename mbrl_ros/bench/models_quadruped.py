"""`mbrl bench models`: what has changed on a quadruped, found in how it walks; and learned as it walks on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from mbrl_ros.bench.doubt import loaded
from mbrl_ros.bench.seen import Seen
from mbrl_ros.control.report import TrackingScore
from mbrl_ros.dynamics.identification import SearchConfig, changed, identified
from mbrl_ros.learning.evaluating import driving
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.models import load_keepsake, load_model
from mbrl_ros.learning.session import Session
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import RunConfig, load_run

SEARCH = SearchConfig()
WIDER = SearchConfig(candidates=24, elites=6, rounds=8)  # for several at once
SECONDS = 10.0  # of walking, to look into
PAYLOAD = 3.0  # kg
CHANGED = {"payload": 2.0, "motor_gain": 0.85, "delay": 0.008, "friction": 0.6}
ICE = {"friction": 0.2}  # on which it slips
COMMANDS = ((0.4, 0.0, 0.0), (0.3, 0.0, 0.5), (0.0, 0.2, 0.0), (0.5, 0.0, -0.3))
READY = 3.0  # s until the robot walks as told
LEARNING, JUDGED = 20.0, 10.0  # s with the load; the last of them count


def payload(seed: int) -> dict[str, float]:
    """The load on the quadruped's back, in kg, from 10 s of walking with noisy sensors."""
    spec, recorded = load_robot(_run().planner.robot), walked({"payload": PAYLOAD}, SECONDS, seed)
    return {
        "payload of 3 kg, 10 s of walking: kg": identified(spec, *recorded, ["payload"], SEARCH, seed).values["payload"]
    }


def constants(seed: int) -> dict[str, float]:
    """Load, motors, delay and friction, all unknown at once; and friction alone where the feet slip."""
    spec, found = load_robot(_run().planner.robot), {}
    for where, truth in (("changed quadruped", CHANGED), ("quadruped on ice", ICE)):
        values = identified(spec, *walked(truth, SECONDS, seed), list(truth), WIDER, seed).values
        found |= {f"{where}: {name}, {truth[name]:g} in truth": values[name] for name in truth}
    return found


def carried(seed: int) -> dict[str, float]:
    """Velocity error 10 .. 20 s after 3 kg were put on its back, with and without learning, over that without them."""
    plain, fixed, learning = (
        _tracking(seed, kilograms, learns) for kilograms, learns in ((0.0, False), (PAYLOAD, False), (PAYLOAD, True))
    )
    return {
        "payload carried: m/s off without it": plain,
        "payload carried: m/s off, without it 1, nothing learned": fixed / plain,
        "payload carried: m/s off, without it 1, learned on": learning / plain,
    }


def walked(values: Mapping[str, float], seconds: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The shipped model walks the robot so changed: states (1, T + 1, S) as measured and targets (1, T, A)."""
    run = _run().with_setting("bridge.latency", values.get("delay", 0.0))
    spec = load_robot(run.planner.robot)
    model, _ = load_model("pretrained", run.name, FeatureLayout(spec))
    session, seen = driving(run, spec, model, seed, noise=True), Seen()
    _walk(session, READY)
    session.backend.model = changed(session.backend.model, values)
    session.learner = seen
    _walk(session, seconds)
    return seen.run()


def _tracking(seed: int, kilograms: float, learns: bool) -> float:
    """m/s off in the last JUDGED seconds with the load, the learner going on from the shipped model or not there."""
    run = _run()
    spec = load_robot(run.planner.robot)
    layout = FeatureLayout(spec)
    model, card = load_model("pretrained", run.name, layout)
    session = driving(run, spec, model, seed, noise=True)
    _walk(session, READY)
    if learns:
        keepsake = load_keepsake("pretrained", run.name, layout)
        session.learner = Learner(spec, dataclasses.replace(run.learner, seed=seed), model, card, keepsake)
    loaded(kilograms)(session)
    _walk(session, LEARNING - JUDGED)
    score = TrackingScore()
    _walk(session, JUDGED, lambda command, truth: score.add(truth.stamp_ns * 1e-9, command, _velocity(truth)))
    return score.summary()["velocity_error"]


def _walk(session: Session, seconds: float, heard: Callable = lambda command, truth: None) -> None:
    """Through all commands, evenly."""
    count = round(seconds / session.agent.spec.dt)
    for k in range(count):
        command = COMMANDS[k * len(COMMANDS) // count]
        heard(command, session.step(np.array(command)).truth)


def _velocity(truth) -> tuple[float, float, float]:
    return (*truth.base.linear_velocity_body[:2], truth.base.angular_velocity_body[2])


def _run() -> RunConfig:
    return load_run("quadruped_mpc").with_setting("planner.mppi.samples", 100)
