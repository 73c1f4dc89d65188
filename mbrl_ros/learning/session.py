"""One robot, one agent, one guard and, where it learns, one learner, stepped in one process without ROS.

The order of a control step is that of the graph in lockstep: state, plan, gate, robot, transition, learner.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mbrl_ros.backends.robot import Backend
from mbrl_ros.config import ConfigError
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.experience import Experience
from mbrl_ros.control.second_opinion import SecondOpinion
from mbrl_ros.learning.learner import Learner, Verdict
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.runs import RunConfig
from mbrl_ros.safety import gate
from mbrl_ros.types import FOLLOWED, Action, Event, RobotState, Transition


@dataclass(frozen=True)
class Outcome:
    """What came of one control step."""

    truth: RobotState  # at its end
    action: Action
    fell: bool
    verdict: Verdict | None  # of a round of training, where one was due


class NeverPlanned(ConfigError):
    """There was not one plan, so that nothing about planning was seen."""


class Session:
    """Steps everything together. Robot time is what counts: training takes none."""

    def __init__(self, run: RunConfig, backend: Backend, agent: Agent, learner: Learner | None = None):
        self.backend, self.agent, self.learner = backend, agent, learner
        self._guard = gate.initial(agent.spec, run.guard, simulation=True)
        self._experience = Experience(agent, start_ns=0)
        self.opinion = SecondOpinion(agent)
        self.actions: dict[Action, int] = dict.fromkeys(Action, 0)
        self.no_plans, self.why_no_plan = 0, ""  # steps without one, and what was said in the last of them

    @property
    def following(self) -> bool:
        """Whether the guard follows the plan, faded in."""
        return self._guard.last is not None and self._guard.last.command.action in FOLLOWED

    def step(self, command: np.ndarray) -> Outcome:
        """One dt of robot time."""
        state = self.backend.measure()
        now = state.stamp_ns
        self._guard = gate.receive_state(self._guard, state, now)
        complete = self._experience.state(state)
        plan = self.agent.act(state, command)
        if isinstance(plan, NoPlan):
            self.no_plans, self.why_no_plan = self.no_plans + 1, plan.reason
        else:
            self._guard = gate.receive_plan(self._guard, plan, now)
            self._experience.note(now, self.agent.command, plan.exploring)
            self.opinion.after_plan(took=0.0)
        self._guard, decision = gate.decide(self._guard, now, now)
        told = decision.command
        self.actions[told.action] += 1
        complete += self._experience.applied(now, told.target, told.action, told.model)
        self.agent.note_applied(now, told.target, told.action)
        self._learn(complete)
        self.backend.set_mode(told.mode)
        self.backend.step(told.target)
        truth = self.backend.truth()
        fell = self.backend.fallen()
        if fell:
            self.restart()
        return Outcome(truth, told.action, fell, self._train())

    @property
    def steps(self) -> int:
        """So far."""
        return sum(self.actions.values())

    def check_planned(self) -> None:
        """NeverPlanned where no step had a plan: what the robot did then says nothing."""
        if self.no_plans and self.no_plans == self.steps:
            raise NeverPlanned(
                f"planner {self.agent.config.planner} had no plan in any of {self.steps} steps, so there is nothing to "
                f"judge: {self.why_no_plan}. Take another planner, model or action map"
            )

    def restart(self) -> None:
        """As a person would stand it up; robot time goes on."""
        self._complete_the_last_step()
        self._stand_up()

    def _complete_the_last_step(self) -> None:
        """One that ended in a fall is the one to learn most from: complete it before the robot is moved."""
        state = self.backend.measure()
        stood_up = Event("reset", state.stamp_ns, "stood up")
        self._learn(self._experience.state(state) + self._experience.event(stood_up))

    def _learn(self, transitions: list[Transition]) -> None:
        for transition in transitions:
            if self.learner is not None:
                self.learner.add(transition)

    def _stand_up(self) -> None:
        state = self.backend.reset()
        self._guard = gate.receive_state(self._guard, state, state.stamp_ns)
        self._guard, _, _ = gate.request(self._guard, gate.Request.SIM_RESET, state.stamp_ns)
        self.agent.forget(standing=True)

    def _train(self) -> Verdict | None:
        if self.learner is None or not self.learner.due():
            return None
        losses = list(self.learner.train())
        if not losses:
            return None
        verdict = self.learner.judge(float(np.mean(losses[-20:])))
        if verdict.promoted:
            self.agent.set_model(self.learner.incumbent, self.learner.version)
            self.agent.trust.calibration = verdict.card.calibration
        return verdict
