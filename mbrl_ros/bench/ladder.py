"""The rungs of the ladder: each differs in one thing from the base of its task, or is a version of the whole.

A rung that cannot be had on a task is named there with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass

from mbrl_ros import known
from mbrl_ros.bench.contenders import has
from mbrl_ros.settings import TREATMENTS

PLANNERS = tuple(name for name in known.PLANNERS if name != "prior")  # which looks at no model
MODELS = tuple(name for name in known.MODELS if name != "residual")  # whose law is to be fitted before its networks
TASKS = ("pendulum", "cartpole", "car", "cliff", "rover", "hand", "quadruped")
BASE = "mppi", "ensemble", "expectation"
SHIPPED, PEER = "policy", "pytorch_mppi"  # what decides in place of one of our planners
PEERS = {PEER: "mbrl_ros.bench.ladder_peer", "torchrl": "mbrl_ros.bench.ladder_torchrl"}  # package -> who calls it

STRUCTURED = ("car",)  # tasks whose law has constants that can be unknown
SEARCHED = {"pendulum": 3, "cartpole": 3, "cliff": 3, "rover": 6}  # tasks that so few choices a step are enough for
WHOLE = ("quadruped",)  # tasks whose targets come of a whole plan, as a gait does, not each of one decision
DISTILLED = ("cartpole", "quadruped")  # whose run ships a policy


@dataclass(frozen=True)
class Rung:
    """One way to learn and to decide."""

    axis: str  # what it varies: planner, model, treatment; or version, outside
    name: str
    planner: str
    model: str
    treatment: str

    @property
    def cell(self) -> str:
        """What two rungs share that are the same on different axes."""
        return f"{self.planner} {self.model} {self.treatment}"

    @property
    def is_base(self) -> bool:
        return (self.planner, self.model, self.treatment) == BASE

    @property
    def twin(self) -> str:
        """The rung before it that is the same on another axis; empty: there is none."""
        same = [str(rung) for rung in RUNGS[: RUNGS.index(self)] if rung.cell == self.cell and not rung.is_base]
        return next(iter(same), "")

    def __str__(self) -> str:
        return f"{self.axis} {self.name}"


def _rungs() -> tuple[Rung, ...]:
    planner, model, treatment = BASE
    return (
        *(Rung("planner", name, name, model, treatment) for name in PLANNERS),
        *(Rung("model", name, planner, name, treatment) for name in MODELS),
        *(Rung("treatment", name, planner, model, name) for name in TREATMENTS),
        Rung("version", "v0", "shooting", "l2", "expectation"),
        Rung("version", "v1", "mppi", "l2", "expectation"),
        Rung("version", "v2", "mppi", "ensemble", "pessimism"),
        Rung("version", "v3", SHIPPED, "ensemble", "expectation"),
        Rung("version", "v5", "mcts", "ensemble", "expectation"),
        Rung("outside", PEER, PEER, model, treatment),
        Rung("outside", "torchrl", "torchrl", model, treatment),
        Rung("outside", "mbrl-lib PETS", "mbrl-lib PETS", model, treatment),
    )


RUNGS = _rungs()


def excuse(task: str, rung: Rung) -> str:
    """Why the rung is not climbed on this task; empty where it is."""
    if rung.model == "physics" and task not in STRUCTURED:
        return "its law of motion has no unknown constants (robots/laws/), or it has none"
    if rung.planner == "mcts" and task not in SEARCHED:
        return "decisions are continuous, and three values of each would not do"
    if rung.planner == SHIPPED and task not in DISTILLED:
        return "no policy is shipped with its run: `mbrl distill` makes one from a model on disk"
    if rung.planner in PEERS and task in WHOLE:
        return "it steps the model one decision at a time, and a gait is made of several"
    if rung.planner in PEERS and not has(rung.planner):
        return "not installed: pip install " + ("'mbrl_ros[bench]'" if rung.planner == PEER else rung.planner)
    if rung.planner == "mbrl-lib PETS":
        return "it wants packages of versions of its own, so it runs in an environment of its own and not beside these"
    return ""
