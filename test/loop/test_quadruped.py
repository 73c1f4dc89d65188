"""A quadruped that knows nothing learns to walk where it is told, in one process: the whole loop, small and short."""

import dataclasses

import numpy as np
import pytest
import torch

from mbrl_ros.backends.mujoco import MujocoBackend
from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.ensemble import Ensemble, new_ensemble
from mbrl_ros.dynamics.evaluation import evaluate
from mbrl_ros.learning.curriculum import TrainingCommands
from mbrl_ros.learning.evaluating import evaluate_tracking
from mbrl_ros.learning.learner import Learner, Verdict
from mbrl_ros.learning.session import Session
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import RunConfig, load_run, with_settings

SECONDS = 24.0
SMALL = (
    "planner.mppi.samples=240",
    "learner.model=scratch",
    "learner.first_seconds=8.0",
    "learner.first_steps=1000",
    "learner.steps=300",
    "learner.ensemble.members=3",
    "learner.ensemble.width=96",
)
COMMANDS = ((0.4, 0.0, 0.0), (0.3, 0.0, -0.5), (-0.25, 0.0, 0.0), (0.0, 0.15, 0.3))
OF_STANDING = 0.25  # share of the error of a robot that stands still: learned models keep below half of it
YAW_RATE_ERROR = 0.05  # rad/s, over all commands; 0.2 standing still, 0.013 in three seeds
SPEC = load_robot("go1_like")


class Watched(MujocoBackend):
    """Keeps every target that it was told."""

    def __init__(self, spec, seed):
        super().__init__(spec, seed)
        self.told = []

    def set_target(self, target):
        self.told.append(np.array(target))
        super().set_target(target)


@dataclasses.dataclass
class Learned:
    run: RunConfig
    first_model: Ensemble
    learner: Learner
    told: np.ndarray  # (T, 12)
    modes: list[str]
    falls: int
    verdicts: list[Verdict]


@pytest.fixture(scope="module")
def learned() -> Learned:
    torch.set_num_threads(1)
    run = with_settings(load_run("quadruped_mpc"), SMALL)
    robot, agent, learner = Watched(SPEC, 0), Agent(SPEC, run.planner), Learner(SPEC, run.learner)
    session = Session(run, robot, agent, learner)
    teacher = TrainingCommands(agent.task.command_size, 0, run.learner.first_seconds, run.learner.practice)
    modes, falls, verdicts, first_model = [], 0, [], None
    for k in range(round(SECONDS / SPEC.dt)):
        outcome = session.step(teacher.at(k * SPEC.dt))
        modes.append(agent.mode)
        falls += outcome.fell
        verdicts += [outcome.verdict] if outcome.verdict else []
        first_model = first_model or learner.incumbent
    return Learned(run, first_model, learner, np.array(robot.told), modes, falls, verdicts)


def test_it_explores_until_there_is_a_model_and_plans_from_then_on(learned):
    first = learned.modes.index("mppi")
    assert set(learned.modes[:first]) == {"explore"}
    assert set(learned.modes[first:]) == {"mppi"}
    assert first * SPEC.dt == pytest.approx(8.0, abs=0.5)


def test_every_target_it_was_ever_told_lies_within_its_limits_and_rates(learned):
    low, high = SPEC.target_limits
    assert np.isfinite(learned.told).all()
    assert (learned.told >= low - 1e-9).all()
    assert (learned.told <= high + 1e-9).all()
    if not learned.falls:  # a robot that is stood up begins from another posture
        assert (np.abs(np.diff(learned.told, axis=0)) <= SPEC.target_step_limit + 1e-9).all()


def test_every_step_became_a_transition(learned):
    steps = round(SECONDS / SPEC.dt)
    assert steps - 5 - 10 * learned.falls <= learned.learner.buffer.added < steps


def test_the_last_model_knows_held_out_data_better_than_the_first(learned):
    buffer, scales = learned.learner.buffer, learned.learner.layout.scales
    states, actions = buffer.sequences(buffer.starts(10, held_out=True), 10)
    last = evaluate(learned.learner.incumbent, states, actions, scales)
    assert len(learned.verdicts) >= 4
    assert last.error < evaluate(learned.first_model, states, actions, scales).error
    assert last.one_step_r2 > 0.5
    assert [v.card.version for v in learned.verdicts if v.promoted] == list(range(1, learned.learner.version + 1))


def driven_by(run, model, commands):
    result = evaluate_tracking(run, SPEC, model, commands, hold=3.0)
    errors = np.array([entry["velocity_error"] for entry in result.score.commands()])
    standing = np.array([np.hypot(vx, vy) for vx, vy, _ in commands])
    return errors / standing, result.score.summary()["yaw_rate_error"], result.falls


def test_it_walks_and_turns_as_it_is_told_and_does_not_fall(learned):
    of_standing, yaw_rate_error, falls = driven_by(learned.run, learned.learner.incumbent, COMMANDS)
    assert falls == 0
    assert (of_standing < OF_STANDING).all(), of_standing
    assert yaw_rate_error < YAW_RATE_ERROR


def test_what_it_learned_is_why_an_untrained_model_walks_worse_than_standing_still(learned):
    untrained = new_ensemble(learned.run.learner.ensemble, FeatureLayout(SPEC), seed=0)
    of_standing, yaw_rate_error, _ = driven_by(learned.run, untrained, COMMANDS[:1])
    assert of_standing[0] > 1.0
    assert yaw_rate_error > 2 * YAW_RATE_ERROR
