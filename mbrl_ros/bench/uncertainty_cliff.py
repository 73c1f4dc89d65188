"""`mbrl bench uncertainty`: a cliff that early data say nothing of. Who drives over it?"""

from __future__ import annotations

from mbrl_ros.bench.uncertainty_doing import alone, driven, gone_on, learned, random_motion, treated
from mbrl_ros.robots.laws import hill
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.runs import RunConfig, load_run
from mbrl_ros.settings import TREATMENTS
from mbrl_ros.types import Transition

EARLY, AGAIN = 20.0, 1.0  # s of random motion at the foot of the hill, and after which it is put back there
LOOP = 60.0  # s in which a robot goes on learning from its own plans
PESSIMISM = 10.0  # standard deviations; on seeds from 100 on, 2 and 5 fell and 10 did not
EPISODE = 6.0  # s that are judged: the edge is 2 s away
LEARNING = {"first_steps": 600, "every_seconds": 4.0, "steps": 200}  # enough for a hill, and twenty seeds of it
PRIOR = 1.0  # a larger function of its own for each member to begin as
WARY, LESS_WARY = 3.0, 1.0  # pessimism with it; of forty seeds from 100 on 1 and 2 fell, and 3 with 2.0
LONGER = 1200  # first steps: larger functions take longer to agree where data is


def cliff(seed: int) -> dict[str, float]:
    """1 where a robot falls in 6 s, 0 where not; and how high it gets, where the crest is 1. The naive model is
    a single network that is believed, fitted to early data; or it goes on learning."""
    run = _settings().with_setting("planner.pessimism", PESSIMISM)
    spec, naive = load_robot(run.planner.robot), alone(run)
    data = random_motion(run, spec, EARLY, seed, AGAIN)
    one, several = learned(naive, spec, data, seed), learned(run, spec, data, seed)
    own = gone_on(naive, spec, data, LOOP, seed)
    found = _seen(data, spec)
    rows = [("naive, early data", naive, one), ("naive, its own data", naive, own.model)]
    rows += [(f"{treatment}, early data", treated(run, treatment), several) for treatment in TREATMENTS]
    rows += [("the run's own pessimism, early data", treated(_settings(), "pessimism"), several)]
    for name, settings, model in rows:
        found |= _judged(name, settings, spec, model, seed)
    return found | {"cliff: falls while learning from its own data": float(own.falls)}


def priors(seed: int) -> dict[str, float]:
    """The same where each member begins as a larger random function, which is left where no data comes from. Beside it
    members that begin as the run's own do, and the naive model, fitted as long."""
    run = _settings(first_steps=LONGER)
    spec, naive = load_robot(run.planner.robot), alone(run)
    data = random_motion(run, spec, EARLY, seed, AGAIN)
    small, large = (
        learned(run.with_setting("learner.ensemble.prior", prior), spec, data, seed)
        for prior in (run.learner.ensemble.prior, PRIOR)
    )
    wary = treated(run, "pessimism")
    found = _seen(data, spec)
    for name, settings, model in (
        ("naive, early data", naive, learned(naive, spec, data, seed)),
        ("pessimism, larger priors", wary.with_setting("planner.pessimism", WARY), large),
        ("less pessimism, larger priors", wary.with_setting("planner.pessimism", LESS_WARY), large),
        ("as much pessimism, small priors", wary.with_setting("planner.pessimism", WARY), small),
        ("much pessimism, small priors", wary.with_setting("planner.pessimism", PESSIMISM), small),
    ):
        found |= _judged(f"{name}, fitted longer", settings, spec, model, seed)
    return found


def _seen(data: list[Transition], spec: RobotSpec) -> dict[str, float]:
    return {"cliff: height of the early data": max(float(t.state[1]) for t in data) / hill.crest(spec)[1]}


def _judged(name: str, settings: RunConfig, spec: RobotSpec, model, seed: int) -> dict[str, float]:
    drive, crest = driven(settings, spec, model, seed, EPISODE), hill.crest(spec)[1]
    return {
        f"cliff: walks off, {name}": float(drive.falls > 0),
        f"cliff: height at the end, {name}": float(drive.states[drive.kept(spec.dt), 1].mean() / crest),
        f"cliff: highest place, {name}": float(drive.states[:, 1].max() / crest),
    }


def _settings(**learning: float) -> RunConfig:
    settings = LEARNING | learning
    return load_run("cliff_mpc").with_all({f"learner.{name}": value for name, value in settings.items()})
