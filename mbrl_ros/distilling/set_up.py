"""What it takes to distil a policy for a robot and its task: a world to walk in, a teacher, a network, its card."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from mbrl_ros.config import ConfigError
from mbrl_ros.distilling.imagined import Imagined
from mbrl_ros.distilling.rounds import Distiller
from mbrl_ros.distilling.teacher import Teacher
from mbrl_ros.distilling.valuing import Valuer
from mbrl_ros.dynamics.native import planning_model
from mbrl_ros.learner_settings import DistillConfig
from mbrl_ros.policies.card import PolicyCard, input_names, robot_part
from mbrl_ros.policies.network import Policy, Value, new_policy
from mbrl_ros.robots.action_maps import make_action_map
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.settings import PlannerConfig
from mbrl_ros.tasks import make_task


def new_distiller(
    planner: PlannerConfig,
    config: DistillConfig,
    spec: RobotSpec,
    model,
    starts: Tensor,
    begin_with: tuple[Policy, Value] | None = None,
) -> Distiller:
    """Of the planner that `planner` sets up, in `model`, from states (N, S) in which the robot was.

    `begin_with`: networks, in place of some that know nothing.
    """
    for name, count in (("robots", config.robots), ("judges", config.judges), ("value.robots", config.value.robots)):
        if count % model.members:
            raise ConfigError(f"learner.distill.{name} must be a multiple of the {model.members} members, not {count}")
    layout, action_map = FeatureLayout(spec), make_action_map(planner.action_map, spec)
    task = make_task(planner.task, layout)
    native = planning_model(model, planner.precision, planner.threads)
    world = Imagined(layout, planner, native, task, action_map, starts, config.push)
    teacher = Teacher(patient(planner, config), native, task, action_map, layout.size, world.phase_step)
    fresh = new_policy(layout, starts, task.command_size, action_map.bounds, planner.seed)
    policy, value = begin_with or (fresh, None)
    searched = replace(planner.mppi, horizon=config.guided_horizon)
    valuer = Valuer(policy, world, config.value, searched, planner.cost, planner.seed, value)
    return Distiller(policy, world, teacher, valuer, config, planner.seed)


def patient(planner: PlannerConfig, config: DistillConfig) -> PlannerConfig:
    """The planner with more time than a robot has, and with nothing of an earlier policy in it."""
    mppi = replace(planner.mppi, samples=config.samples, proposals=0.0, terminal_value=False)
    return replace(planner, mppi=mppi, replan_every=1)


def policy_card(
    planner: PlannerConfig, config: DistillConfig, spec: RobotSpec, model_version: int, model_hash: str, version: int
) -> PolicyCard:
    """Without what only the distiller knows: ranges and the golden pair."""
    layout = FeatureLayout(spec)
    return PolicyCard(
        task=planner.task, version=version, model_version=model_version, model_hash=model_hash,
        discount=config.value.discount,
        seen=input_names(layout, make_task(planner.task, layout).command_size), lowest=(), highest=(),
        golden_seen=(), golden_prior=(), golden_decisions=(), golden_value=0.0, **robot_part(spec, planner.action_map),
    )  # fmt: skip
