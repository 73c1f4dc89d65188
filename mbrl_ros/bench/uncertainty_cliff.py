"""`mbrl bench uncertainty`: a cliff that early data say nothing of. Who drives over it?"""

from __future__ import annotations

from mbrl_ros.bench.uncertainty_doing import alone, driven, gone_on, learned, random_motion, treated
from mbrl_ros.robots.laws import hill
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import RunConfig, load_run
from mbrl_ros.settings import TREATMENTS

EARLY, AGAIN = 20.0, 1.0  # s of random motion at the foot of the hill, and after which it is put back there
LOOP = 60.0  # s in which a robot goes on learning from its own plans
PESSIMISM = 10.0  # standard deviations; on seeds from 100 on, 2 and 5 fell and 10 did not
EPISODE = 6.0  # s that are judged: the edge is 2 s away
LEARNING = {"first_steps": 600, "every_seconds": 4.0, "steps": 200}  # enough for a hill, and twenty seeds of it


def cliff(seed: int) -> dict[str, float]:
    """1 where a robot falls in 6 s, 0 where not; and how high it gets, where the crest is 1. The naive model is
    a single network that is believed, fitted to early data; or it goes on learning."""
    run = _settings().with_setting("planner.pessimism", PESSIMISM)
    spec, naive = load_robot(run.planner.robot), alone(run)
    data = random_motion(run, spec, EARLY, seed, AGAIN)
    one, several = learned(naive, spec, data, seed), learned(run, spec, data, seed)
    own = gone_on(naive, spec, data, LOOP, seed)
    crest, known = hill.crest(spec)[1], max(float(t.state[1]) for t in data)
    found = {"cliff: height of the early data": known / crest}
    rows = [("naive, early data", naive, one), ("naive, its own data", naive, own.model)]
    rows += [(f"{treatment}, early data", treated(run, treatment), several) for treatment in TREATMENTS]
    rows += [("the run's own pessimism, early data", treated(_settings(), "pessimism"), several)]
    for name, settings, model in rows:
        drive = driven(settings, spec, model, seed, EPISODE)
        found[f"cliff: walks off, {name}"] = float(drive.falls > 0)
        found[f"cliff: height at the end, {name}"] = float(drive.states[drive.kept(spec.dt), 1].mean() / crest)
        found[f"cliff: highest place, {name}"] = float(drive.states[:, 1].max() / crest)
    return found | {"cliff: falls while learning from its own data": float(own.falls)}


def _settings() -> RunConfig:
    run = load_run("cliff_mpc")
    for name, value in LEARNING.items():
        run = run.with_setting(f"learner.{name}", value)
    return run
