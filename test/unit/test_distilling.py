"""A policy learns from its planner in the model, and comes out as a file that flies."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from learning_driver import GO1

from mbrl_ros import cli
from mbrl_ros.distilling.imagined import Imagined
from mbrl_ros.distilling.rounds import PATIENCE, Distiller, Round
from mbrl_ros.distilling.teacher import Teacher
from mbrl_ros.distilling.valuing import Valuer
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.paths import model_file
from mbrl_ros.policies.network import new_policy, seen_from
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.robots.action_maps import make_action_map
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.settings import CostConfig, DistillConfig, EnsembleConfig, MppiConfig, PlannerConfig, ValueConfig
from mbrl_ros.tasks import make_task

LAYOUT = FeatureLayout(GO1)
TASK, MAP = make_task("quadruped", LAYOUT), make_action_map("gait", GO1)
FREE = CostConfig(smoothness=0.0, prior=0.0)
PLANNER = PlannerConfig(mppi=MppiConfig(samples=20, horizon=4), seed=3)
TINY = DistillConfig(samples=20, rounds=2, robots=5, steps=4, updates=30, batch=16, judges=5)
LITTLE = ValueConfig(robots=5, steps=4, batches=2, updates=5, batch=16)
STILL = torch.zeros(8, LAYOUT.size)
STILL[:, LAYOUT.gravity.start + 2] = -1.0
STILL[:, LAYOUT.height.start] = 0.285


def world(seed=3, starts=STILL):
    model = FoldedEnsemble(new_ensemble(EnsembleConfig(members=5, width=8), LAYOUT, 0))
    return Imagined(LAYOUT, replace(PLANNER, seed=seed), model, TASK, MAP, starts)


def policy():
    return new_policy(LAYOUT, STILL + 0.1 * torch.randn(STILL.shape), 3, MAP.bounds, 0)


def valuer(imagined=None, config=LITTLE):
    return Valuer(policy(), imagined or world(), config, PLANNER.mppi, PLANNER.cost, seed=0)


class Lesson:
    """Says the same to everybody: the prior, a little to one side."""

    def begin(self, priors):
        pass

    def sensitivity(self, robots):
        return torch.ones(MAP.size)

    def listen_to(self, policy, value, discount, horizon):
        pass

    def decisions(self, robots):
        return robots.priors + 0.1


# Robots in the model


def test_robots_begin_where_the_real_one_was_and_are_told_at_first_to_go_on_as_they_do():
    starts = STILL.clone()
    starts[:, LAYOUT.linear_velocity.start] = 0.5
    robots = world(starts=starts).robots(10)
    assert robots.states[:, LAYOUT.linear_velocity.start].tolist() == [0.5] * 10
    torch.testing.assert_close(robots.commands, torch.tensor([0.5, 0.0, 0.0]).expand(10, 3))
    assert (robots.wanted != robots.commands).any()


def test_commands_are_approached_as_the_planner_approaches_them():
    imagined = world()
    robots = imagined.robots(10)
    for _ in range(5):
        before, robots = robots, imagined.step(robots, robots.priors)
        change = robots.commands - before.commands
        assert (change[:, :2].norm(dim=1) <= PLANNER.acceleration_limit * GO1.dt + 1e-6).all()
        assert (change[:, 2].abs() <= PLANNER.yaw_acceleration_limit * GO1.dt + 1e-6).all()
    assert (robots.commands.abs().sum(1) > 0).any()
    torch.testing.assert_close(robots.priors[4], MAP.prior(robots.commands[4]))


def test_a_robot_that_fell_is_somewhere_else_and_the_others_go_on():
    imagined = world()
    robots = imagined.robots(10)
    robots.states[3, LAYOUT.height.start] = 0.0
    robots.states[4] = torch.nan
    after = imagined.step(robots, robots.priors)
    assert torch.isfinite(after.states).all() and not TASK.terminated(after.states).any()
    torch.testing.assert_close(after.phases, (robots.phases + GO1.dt / GO1.legs.gait.period) % 1.0)


def test_the_same_world_with_the_same_luck_is_the_same_again():
    first = world()
    one, other = (w.robots(5) for w in (first.again(7), first.again(7)))
    for name in ("states", "wanted", "phases"):
        torch.testing.assert_close(getattr(one, name), getattr(other, name))
    assert (first.again(8).robots(5).phases != one.phases).all()


# The teacher


def test_a_teacher_decides_within_bounds_for_every_robot_and_remembers_their_plans():
    imagined = world()
    teacher = Teacher(PLANNER, imagined.model, TASK, MAP, LAYOUT.size, imagined.phase_step)
    robots = imagined.robots(5)
    teacher.begin(robots.priors)
    first = torch.stack(list(teacher.decisions(robots)))
    assert first.shape == (5, MAP.size)
    assert (first >= MAP.bounds[0]).all() and (first <= MAP.bounds[1]).all()
    again = torch.stack(list(teacher.decisions(robots)))
    assert not torch.equal(first, again)  # from a warm start, and with other random numbers


def test_what_matters_more_to_the_return_weighs_more():
    class Stiff(FoldedEnsemble):
        """Only the first joint's target moves the robot, and far."""

        def rollout(self, states, actions):
            out = states[:, :, None].expand(*actions.shape[:3], -1).clone()
            out[..., LAYOUT.linear_velocity.start] = 5.0 * (actions[..., 0] - GO1.stance[0])
            return out

    joints = make_action_map("joint", GO1)
    model = Stiff(new_ensemble(EnsembleConfig(members=5, width=8), LAYOUT, 0))
    config = replace(PLANNER, action_map="joint")
    imagined = Imagined(LAYOUT, config, model, TASK, joints, STILL)
    teacher = Teacher(config, model, TASK, joints, LAYOUT.size, imagined.phase_step)
    robots = imagined.robots(5)
    teacher.begin(robots.priors)
    weights = teacher.sensitivity(robots)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[0] > 3 * weights[1:].max() and (weights > 0).all()


# Rounds


def test_a_policy_comes_nearer_to_what_it_is_told():
    distiller = Distiller(policy(), world(), Lesson(), valuer(), replace(TINY, updates=300, rounds=5), seed=0)
    while not distiller.done:
        shares = list(distiller.round())
        assert shares == sorted(shares) and shares[-1] == 1.0
    rounds = distiller.rounds
    assert rounds[-1].imitation < 0.1 * rounds[0].imitation
    assert [r.decisions for r in rounds] == [20 * (i + 1) for i in range(len(rounds))]


def test_the_policy_that_earned_most_is_kept_and_is_not_trained_on():
    distiller = Distiller(policy(), world(), Lesson(), valuer(), TINY, seed=0)
    list(distiller.round())
    assert distiller.rounds[0].best
    kept = [weight.clone() for weight in distiller.best.weights]
    distiller.earned = lambda policy: -np.inf
    list(distiller.round())
    assert not distiller.rounds[1].best
    for before, after in zip(kept, distiller.best.weights, strict=True):
        torch.testing.assert_close(before, after)
    assert not any(parameter.requires_grad for parameter in distiller.best.parameters)


def test_rounds_end_when_some_in_a_row_bring_nothing():
    distiller = Distiller(policy(), world(), Lesson(), valuer(), replace(TINY, rounds=50), seed=0)
    distiller.rounds = [Round(1, 0.0, 0.0, -1.0, 1.0, True)] + [Round(1, 0.0, 0.0, -2.0, 1.0, False)] * (PATIENCE - 1)
    assert not distiller.done
    distiller.rounds.append(Round(1, 0.0, 0.0, -2.0, 1.0, False))
    assert distiller.done


# What it is worth


class Stays(FoldedEnsemble):
    """Nothing ever changes, however it is told to move."""

    def rollout(self, states, actions):
        return states[:, :, None].expand(*actions.shape[:3], -1).clone()


def staying(starts):
    model = Stays(new_ensemble(EnsembleConfig(members=5, width=8), LAYOUT, 0))
    return Imagined(LAYOUT, replace(PLANNER, cost=FREE), model, TASK, MAP, starts)


def test_a_state_in_which_one_stays_is_worth_its_reward_for_ever():
    starts = STILL.repeat(20, 1)
    starts[:, LAYOUT.linear_velocity.start] = torch.linspace(-0.3, 0.8, len(starts))
    imagined = staying(starts)
    config = ValueConfig(discount=0.8, robots=50, steps=10, batches=60, updates=60)
    ours = Valuer(policy(), imagined, config, PLANNER.mppi, FREE, seed=0)
    list(ours.learn(policy()))
    assert ours.off < 0.3
    robots = imagined.robots(50)
    commands = torch.zeros(50, 3)
    with torch.no_grad():
        found = ours.value.worth(seen_from(robots.states, commands, robots.phases))
    wanted = TASK.reward(robots.states, commands.T) / (1 - 0.8)
    assert (found - wanted).abs().median() < 0.4 * (wanted - wanted.median()).abs().median()


def rolled(valuer, policy):
    """What came of one batch of rollouts."""
    rollouts = valuer._rollouts(policy, 0.0)
    while True:
        try:
            next(rollouts)
        except StopIteration as end:
            return end.value


def test_who_is_lost_stays_lost_and_earns_for_ever_what_he_earned_by_it():
    lost = STILL.clone()
    lost[:, LAYOUT.height.start] = 0.05
    ours = Valuer(policy(), staying(lost), ValueConfig(robots=5, steps=3, discount=0.9), PLANNER.mppi, FREE, seed=0)
    found = rolled(ours, policy())
    assert found.seen.shape == (15, LAYOUT.size + 5)
    reward = TASK.reward(lost[:1], torch.zeros(3, 1))
    assert found.earned.max() <= 10 * float(reward) + 1.0  # and what the command is missed by


def test_what_decisions_cost_is_taken_off():
    wild = policy()
    wild.weights[-1].mul_(100.0)
    dear, free = CostConfig(smoothness=5.0, prior=5.0), FREE
    earned = [
        rolled(Valuer(wild, staying(STILL), replace(LITTLE, robots=50), PLANNER.mppi, cost, seed=0), wild).earned
        for cost in (dear, free)
    ]
    assert earned[0].mean() < earned[1].mean() - 1.0


# From the command line

SMALL = [
    f"learner.distill.{name}={value}"
    for name, value in {
        **{"samples": 20, "rounds": 2, "robots": 5, "steps": 2, "updates": 5, "judges": 5},
        **{"value.robots": 5, "value.steps": 3, "value.batches": 1, "value.updates": 5},
    }.items()
]


def test_distilling_writes_a_policy_that_flies_and_a_report(tmp_path):
    report = tmp_path / "report.json"
    arguments = ["distill", "quadruped_mpc", "--out", str(tmp_path), "--report", str(report), "--set", *SMALL]
    assert cli.main(arguments) == 0
    flown = OnnxPolicy((tmp_path / "policy.onnx").read_bytes(), LAYOUT, "quadruped", "gait", 3)
    file = str(tmp_path / "policy.onnx")
    assert cli.main(["policy", "show", file]) == 0
    assert cli.main(["eval", "quadruped_mpc", "--policy", file, "--commands", "0.3,0,0", "--hold", "2.1"]) == 0
    assert flown.card.model_version > 0 and len(flown.card.lowest) == LAYOUT.size + 5
    assert [r["decisions"] for r in json.loads(report.read_text())["rounds"]] == [10, 20]
    assert (tmp_path / "report.png").is_file()


def test_a_model_alone_cannot_be_distilled(tmp_path, capsys):
    (tmp_path / "model.safetensors").write_bytes(model_file("pretrained", "quadruped_mpc").read_bytes())
    assert cli.main(["distill", "quadruped_mpc", "--model", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "nothing of what it has learned from" in capsys.readouterr().err


def test_robots_are_shared_out_among_the_members(tmp_path, capsys):
    assert cli.main(["distill", "quadruped_mpc", "--out", str(tmp_path), "--set", "learner.distill.robots=7"]) == 2
    assert "a multiple of the 5 members" in capsys.readouterr().err


def test_a_policy_that_is_not_there_is_told_with_its_mend(tmp_path, capsys):
    assert cli.main(["eval", "quadruped_mpc", "--policy", str(tmp_path / "none.onnx")]) == 2
    assert "mbrl distill quadruped_mpc" in capsys.readouterr().err
