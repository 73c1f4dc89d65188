"""`mbrl bench uncertainty`: a pole to be swung up by a model of a few seconds of data."""

from __future__ import annotations

from mbrl_ros.bench.uncertainty_doing import alone, driven, gone_on, learned, treated
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run
from mbrl_ros.settings import TREATMENTS

LITTLE = 14.0  # s of data: random motion, and first tries
EPISODE = 8.0  # s that are judged
LEARNING = {"first_steps": 1000, "steps": 40, "train.rollout": 4}
SAMPLES = 300  # rollouts of a plan, shared out among members
KEPT = 0.8  # share of the last 5 s in which the pole is up, below which it was not swung up


def poor(seed: int) -> dict[str, float]:
    """1 where the pole is not up at the end of 8 s, 0 where it is; and the share of the last 5 s in which it is. All
    learn from the same data, of a robot with a single network that learns from nothing."""
    run = load_run("cartpole_mpc").with_setting("planner.mppi.samples", SAMPLES)
    for name, value in LEARNING.items():
        run = run.with_setting(f"learner.{name}", value)
    spec, single = load_robot(run.planner.robot), alone(run)
    data = gone_on(single, spec, (), LITTLE, seed).data
    one, several = learned(single, spec, data, seed), learned(run, spec, data, seed)
    rows = [("single", single, one)] + [(name, treated(run, name), several) for name in TREATMENTS]
    found = {}
    for name, settings, model in rows:
        drive = driven(settings, spec, model, seed, EPISODE)
        up = float(drive.at_goal[drive.kept(spec.dt)].mean())
        found[f"poor cartpole: fails, {name}"] = float(up < KEPT)
        found[f"poor cartpole, share of the last 5 s upright, {name}"] = up
    return found
