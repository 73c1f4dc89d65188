"""`mbrl bench uncertainty`: a cliff that early data say nothing of. Who drives over it?"""

from __future__ import annotations

from mbrl_ros.bench.uncertainty_doing import alone, driven, gone_on, learned, random_motion, treated
from mbrl_ros.robots.laws import hill
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run
from mbrl_ros.settings import TREATMENTS

EARLY, AGAIN = 20.0, 1.0  # s of random motion at the foot of the hill, and after which it is put back there
LOOP = 60.0  # s in which a robot goes on learning from its own plans


def cliff(seed: int) -> dict[str, float]:
    """1 where a robot falls in 15 s, 0 where not; and how high it is at the end, where the crest is 1."""
    run = load_run("cliff_mpc")
    spec, naive = load_robot(run.planner.robot), alone(run)
    data = random_motion(run, spec, EARLY, seed, AGAIN)
    one, several = learned(naive, spec, data, seed), learned(run, spec, data, seed)
    own, falls = gone_on(naive, spec, data, LOOP, seed)
    crest, found = hill.crest(spec)[1], {}
    rows = [("naive, early data", naive, one), ("naive, its own data", naive, own)]
    rows += [(f"{treatment}, early data", treated(run, treatment), several) for treatment in TREATMENTS]
    for name, settings, model in rows:
        drive = driven(settings, spec, model, seed)
        found[f"cliff: walks off, {name}"] = float(drive.falls > 0)
        found[f"cliff: height at the end, {name}"] = float(drive.states[drive.kept(spec.dt), 1].mean() / crest)
    return found | {"cliff: falls while learning from its own data": float(falls)}
