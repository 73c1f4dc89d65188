"""Whether a run fits its robot, and its parts each other: said before it starts, and where they are built. No torch."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from mbrl_ros.config import ConfigError
from mbrl_ros.kind_settings import ENSEMBLE, kind_config
from mbrl_ros.known import the
from mbrl_ros.paths import POLICY, model_file
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.search_settings import Drawn
from mbrl_ros.settings import POLICY_MODES, SHARED_OUT, LearnerConfig, PlannerConfig

LEAST_CANDIDATES = 4  # of a search: two of them are the plan before and the prior


def check_gait(spec: RobotSpec) -> None:
    if spec.legs is None or spec.base is None or spec.interface != "position":
        raise ConfigError(
            f"action map 'gait' needs legs and a position interface; {spec.name} has not both. Take --action-map joint"
        )


def check_primitives(spec: RobotSpec) -> None:
    if not spec.primitives:
        raise ConfigError(f"motions by number need `primitives` in the robot file; {spec.name} has none")


def check_walks(spec: RobotSpec) -> None:
    if not spec.floats:
        raise ConfigError(f"task 'quadruped' needs a robot with a free base; {spec.name} has none")


def check_driven(spec: RobotSpec) -> None:
    if not spec.floats:
        raise ConfigError(f"--commands: {spec.name} has no base to drive by velocities")


def check_turn(config: LearnerConfig, spec: RobotSpec) -> None:
    if config.train.turn and not spec.planar:
        raise ConfigError(f"learner.train.turn turns a planar base, and {spec.name} has none: set it to false")


def check_kind(config: LearnerConfig, spec: RobotSpec) -> None:
    """Whether the kind of model that is to be learned goes with its own settings, and with the robot."""
    if config.kind == ENSEMBLE:
        if config.kind_settings:
            raise ConfigError("learner.kind_settings is for other kinds than ensemble, whose own are learner.ensemble")
        return
    kind_config(config.kind, config.ensemble, config.kind_settings)
    if check := getattr(the("model", config.kind), "check", None):
        try:
            check(spec)
        except ConfigError as error:
            raise ConfigError(f"learner.kind {config.kind}: {error}") from error


def check_goes_on(config: LearnerConfig, kind: str) -> None:
    """Whether a learner can go on from a model of that kind."""
    if kind != config.kind:
        raise ConfigError(
            f"a model of kind {kind} is there, and learner.kind is {config.kind}, which does not go on from it: start "
            f"with --model scratch, or --set learner.kind={kind}, or --no-learner"
        )


def check_device(planner: PlannerConfig, learner: LearnerConfig) -> None:
    """Whether what is learned can be planned through where it is to be."""
    if planner.device != "cpu" and planner.learning and learner.kind not in (ENSEMBLE, "l2"):
        raise ConfigError(
            f"planner.device {planner.device}: a model of kind {learner.kind} plans on the processor; take device cpu"
        )


def check_members(planner: PlannerConfig, members: int) -> None:
    """Whether a model with so many members can be planned with, and explored by."""
    check_samples(planner, members)
    if planner.mode == "explore" and planner.explore.by == "disagreement" and members < 2:
        raise ConfigError(
            "planner.explore.by disagreement: a model with one member disagrees with nobody, so nothing would be worth "
            "seeing. Take learner.ensemble.members of 2 and more, or planner.explore.by=counts"
        )


def check_samples(planner: PlannerConfig, members: int) -> None:
    """Where each candidate goes through all members, there are so many fewer of them than `samples`."""
    drawn = planner.planner != "prior" and isinstance(planner.search, Drawn)
    least = LEAST_CANDIDATES * members
    if drawn and planner.treatment not in SHARED_OUT and planner.search.samples < least:
        raise ConfigError(
            f"planner.{planner.searching}.samples {planner.search.samples}: shared among {members} members, of the "
            f"{planner.search.samples // members} candidates of a plan two are the plan before and the prior, so that "
            f"plans would hardly move. Take {least} and more"
        )


def check_distilling(config: LearnerConfig) -> None:
    """How far it comes depends on how fast the machine is, and lockstep is there for runs that do not."""
    if config.lockstep and config.distill.live:
        raise ConfigError("learner.distill.live does not go with lockstep: leave one of them out")


def check_model(file: Path, spec: RobotSpec) -> str:
    """By the card in the file's header alone; whoever loads the weights looks at each of them. Returns its kind."""
    try:
        with safe_open(file, framework="np") as opened:
            metadata = opened.metadata() or {}
        card = json.loads(metadata.get("card", "{}"))
        robot, layout, kind = card.get("robot"), card.get("layout"), card.get("kind", ENSEMBLE)
    except (SafetensorError, OSError, AttributeError, ValueError) as error:
        raise ConfigError(f"{file} is not a model file: {error}. Make one with `mbrl train`") from error
    if layout != spec.layout_hash:
        raise ConfigError(
            f"{file} is a model of robot {robot!r} and does not fit {spec.name!r}: joints, gains, features or dt "
            "differ. Train one with `mbrl train`, or start with --model scratch"
        )
    return kind


def policy_file(planner: PlannerConfig, run: str) -> Path | None:
    """Where the policy lies that is asked for, else the one beside the model, if there is one; None beside nothing."""
    if planner.policy:
        return Path(planner.policy)
    model = model_file(planner.model, run)
    return model.with_name(POLICY) if model else None


def wants_policy(planner: PlannerConfig) -> str:
    """The settings that do not work without one; empty: none."""
    mode = (f"planner.mode {planner.mode}",) if planner.mode in POLICY_MODES else ()
    return ", ".join((*mode, *planner.guided))


def check_policy(planner: PlannerConfig, run: str = "") -> Path | None:
    """The file of the policy, if there is one. ConfigError where one is wanted and there is none: its bytes are for
    those who load it. `run`: empty where its name is not known."""
    path, wanting = policy_file(planner, run), wants_policy(planner)
    if path is not None and path.is_file():
        return path
    if planner.policy or wanting:
        raise ConfigError(no_policy(planner, path, run))
    return None


def no_policy(planner: PlannerConfig, path: Path | None, run: str) -> str:
    """What is missing, who wants it, and the mend."""
    wanting = wants_policy(planner)
    missing = (
        f"no policy at {path}" if path else "no policy beside planner.model scratch, and planner.policy names none"
    )
    why = f", which {wanting} cannot do without" if wanting else ""
    source = "" if planner.policy else f" --model {model_file(planner.model, run) or 'DIR'}"
    return (
        f"{missing}{why}: make one with `mbrl distill {run or 'RUN'}{source} --out {path.parent if path else 'DIR'}`, "
        f"name one with planner.policy=FILE, or go without {wanting or 'planner.policy'}"
    )
