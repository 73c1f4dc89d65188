"""`mbrl bench planners`: what plans have from a policy, on the cartpole, with the weights that are shipped."""

from __future__ import annotations

from mbrl_ros.bench.planners_drives import configured, drive
from mbrl_ros.learning.models import load_model
from mbrl_ros.learning.policies import load_policy
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot

SECONDS = 5.0  # from hanging still
FEW, NEAR = 40, 8  # rollouts a plan, and steps ahead, with the policy's value at their end: few need a good start
MANY, SHORT, LONG = 500, 5, 25
SHARE, POLISH = 0.3, 3


def hybrid(seed: int) -> dict[str, float]:
    """Mean reward a step of plans with a policy's proposals and a polish by the gradient, less that of either alone."""
    valued = {"terminal_value": "true"}
    both = _reward(seed, FEW, NEAR, **valued, proposals=SHARE, polish=POLISH)
    alone = {
        "proposals": _reward(seed, FEW, NEAR, **valued, proposals=SHARE),
        "polish": _reward(seed, FEW, NEAR, **valued, polish=POLISH),
        "the policy": _reward(seed, FEW, NEAR, mode="policy"),
    }
    gained = {f"hybrid, beyond {what} alone: reward a step": both - reward for what, reward in alone.items()}
    return {"cartpole, proposals and polish: reward a step": both, **gained}


def value(seed: int) -> dict[str, float]:
    """Mean reward a step of plans that are short, with the policy's value at their end and without; 1: long ones."""
    long = _reward(seed, MANY, LONG)
    short, valued = _reward(seed, MANY, SHORT), _reward(seed, MANY, SHORT, terminal_value="true")
    return {
        f"value, {SHORT} steps with it: reward, {LONG} without are 1": valued / long,
        f"{SHORT} steps without: reward, {LONG} are 1": short / long,
    }


def _reward(seed: int, samples: int, horizon: int, mode: str = "mppi", **settings) -> float:
    run = configured("cartpole_mpc", "mppi", samples=samples, horizon=horizon, **settings)
    run = run.with_setting("planner.mode", mode)
    spec = load_robot(run.planner.robot)
    model, _ = load_model("pretrained", run.name, FeatureLayout(spec))
    policy = load_policy(run, spec) if mode == "policy" or run.planner.guided else None
    return drive(run, model, SECONDS, seed, policy).reward
