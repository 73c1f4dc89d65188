"""Settings that do nothing in a run, and why: said on a command line they are refused, as whoever says one means it.

A run file may have some: it serves other planners and other kinds, too.
"""

from __future__ import annotations

from collections.abc import Iterable

from mbrl_ros.config import ConfigError
from mbrl_ros.kind_settings import unread
from mbrl_ros.known import PLANNERS
from mbrl_ros.settings import LearnerConfig, PlannerConfig

READ_BY = {"pessimism": ("pessimism", "optimism"), "cvar": ("cvar",)}  # treatments
PRIORITISED = ("train.priority", "train.correction")


def idle(planner: PlannerConfig, learner: LearnerConfig) -> dict[str, str]:
    """Names of settings, or of a section with all below it, and why they do nothing."""
    sections = [name for name in PLANNERS if hasattr(planner, name) and name != planner.searching]
    found = {
        f"planner.{name}": f"the planner is {planner.planner}, which reads planner.{planner.searching}"
        for name in sections
    }
    for name, treatments in READ_BY.items():
        if planner.treatment not in treatments:
            found[f"planner.{name}"] = f"the treatment is {planner.treatment}"
    if learner.train.replay != "prioritised":
        found |= {f"learner.{name}": f"replay is {learner.train.replay}" for name in PRIORITISED}
    return found | {f"learner.{name}": f"the kind of model is {learner.kind}: {why}"
                    for name, why in unread(learner.kind).items()}  # fmt: skip


def check_said(planner: PlannerConfig, learner: LearnerConfig, said: Iterable[str], where: str) -> None:
    """ConfigError where `said`, names of settings of a run, has one that does nothing."""
    why = idle(planner, learner)
    for name in said:
        if reason := why.get(name) or why.get(name.rpartition(".")[0]):
            raise ConfigError(f"{where}: {name} does nothing, for {reason}. Leave it out")
