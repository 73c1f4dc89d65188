"""`mbrl bench models`: what has changed on a quadruped, found in how it walks; and learned as it walks on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np

from mbrl_ros.bench.seen import Seen
from mbrl_ros.control.report import TrackingScore
from mbrl_ros.dynamics.identification import SearchConfig, changed, identified
from mbrl_ros.learning.evaluating import driving
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.models import load_model
from mbrl_ros.learning.session import Session
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import RunConfig, load_run

SEARCH = SearchConfig()
WIDER = SearchConfig(candidates=24, elites=6, rounds=9, windows=30)  # for several at once
SECONDS = 10.0  # of walking, to look into
PAYLOAD = 3.0  # kg
CHANGED = {"payload": 2.0, "motor_gain": 0.85, "delay": 0.008, "friction": 0.6}
ICE = {"friction": 0.2}  # on which it slips
COMMANDS = ((0.4, 0.0, 0.0), (0.3, 0.0, 0.5), (0.0, 0.2, 0.0), (0.5, 0.0, -0.3))
READY = 3.0  # s until the robot walks as told
SETTLING, JUDGED = 20.0, 16.0  # s with the load: first it may learn from them and trim, then it is judged
AS_IT_WALKS = {"first_seconds": 5.0, "every_seconds": 5.0, "steps": 300}  # from the new data alone: no keepsake


def payload(seed: int) -> dict[str, float]:
    """The load on the quadruped's back, in kg, from 10 s of walking with noisy sensors."""
    spec, recorded = load_robot(_run().planner.robot), walked({"payload": PAYLOAD}, SECONDS, seed)
    return {
        "payload of 3 kg, 10 s of walking: kg": identified(spec, *recorded, ["payload"], SEARCH, seed).values["payload"]
    }


def constants(seed: int) -> dict[str, float]:
    """Load, motors, delay and friction, all unknown at once; and friction alone where the feet slip."""
    spec, found = load_robot(_run().planner.robot), {}
    for where, truth, search in (("changed quadruped", CHANGED, WIDER), ("quadruped on ice", ICE, SEARCH)):
        values = identified(spec, *walked(truth, SECONDS, seed), list(truth), search, seed).values
        found |= {f"{where}: {name}, {truth[name]:g} in truth": values[name] for name in truth}
    return found


def carried(seed: int) -> dict[str, float]:
    """3 kg on its back for 20 s, from which is learned or not: what the model foresees, and how commands are followed,
    trimmed or not."""
    plain, fixed = (_tracking(seed, kilograms)[0] for kilograms in (0.0, PAYLOAD))
    bare, lagging = (_tracking(seed, kilograms, trimmed=False)[0] for kilograms in (0.0, PAYLOAD))
    learned, learner = _tracking(seed, PAYLOAD, learns=True)
    shipped, _ = _shipped(learner.layout)
    foreseen = learner.held_out_error(learner.incumbent) / learner.held_out_error(shipped)
    return {
        "payload carried: error over 20 steps foreseen, shipped model 1, after 20 s": foreseen,
        "payload carried: m/s off without it": plain,
        "payload carried: m/s off without it, untrimmed": bare,
        "payload carried: m/s off, without it 1, untrimmed, nothing learned": lagging / bare,
        "payload carried: m/s off, without it 1, nothing learned": fixed / plain,
        "payload carried: m/s off, without it 1, after 20 s": learned / plain,
    }


def walked(values: Mapping[str, float], seconds: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The shipped model walks the robot so changed: states (1, T + 1, S) as measured and targets (1, T, A)."""
    run = _run().with_setting("bridge.latency", values.get("delay", 0.0))
    spec = load_robot(run.planner.robot)
    model, _ = _shipped(FeatureLayout(spec))
    session, seen = driving(run, spec, model, seed, noise=True), Seen()
    _walk(session, READY)
    session.backend.model = changed(session.backend.model, values)
    session.learner = seen
    _walk(session, seconds)
    return seen.run()


def _tracking(seed: int, kilograms: float, trimmed: bool = True, learns: bool = False) -> tuple[float, Learner | None]:
    """m/s off, 20 s after the load was put on; what was learned until then, from the shipped model on, walks."""
    run = _run() if trimmed else _run().with_setting("planner.trim.seconds", 0.0)
    spec = load_robot(run.planner.robot)
    model, card = _shipped(FeatureLayout(spec))
    session, score = driving(run, spec, model, seed, noise=True), TrackingScore()
    _walk(session, READY)
    session.backend.model = changed(session.backend.model, {"payload": kilograms})
    learning = dataclasses.replace(run.learner, seed=seed, **AS_IT_WALKS)
    session.learner = learner = Learner(spec, learning, model, card) if learns else None
    _walk(session, SETTLING)
    session.learner = None
    _walk(session, JUDGED, lambda command, truth: score.add(truth.stamp_ns * 1e-9, command, _velocity(truth)))
    return score.summary()["velocity_error"], learner


def _shipped(layout: FeatureLayout):
    return load_model("pretrained", _run().name, layout)


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
