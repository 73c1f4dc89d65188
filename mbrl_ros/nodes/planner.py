"""The planner node: a complete state in, a plan out; and what came of it, as transitions, to the learner."""

from __future__ import annotations

import time

import numpy as np
import torch

from mbrl_ros.control import realtime
from mbrl_ros.control.achieved import Achieved
from mbrl_ros.control.affordable import Affordable
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.experience import Experience
from mbrl_ros.control.running_time import RunningTime
from mbrl_ros.control.second_opinion import SecondOpinion
from mbrl_ros.control.velocity_command import VelocityCommand
from mbrl_ros.data.pairing import BREAKS
from mbrl_ros.data.steps import StepClock
from mbrl_ros.dynamics.native import torch_threads
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.assembler import subscribe_state
from mbrl_ros.nodes.belief import Belief
from mbrl_ros.nodes.flown_policy import check_mode
from mbrl_ros.nodes.flying import Flying
from mbrl_ros.nodes.garbage import GarbageBetweenTicks
from mbrl_ros.nodes.lessons import Lessons
from mbrl_ros.nodes.lockstep import LearnerInStep, Turns
from mbrl_ros.nodes.messages.fields import Refused
from mbrl_ros.nodes.messages.learning import transition_message
from mbrl_ros.nodes.messages.motion import applied_of, plan_message, target_of, velocity_command_of
from mbrl_ros.nodes.messages.status import ERROR, OK, WARN, event_of
from mbrl_ros.nodes.offers import Content, Offers
from mbrl_ros.nodes.params import Settings
from mbrl_ros.nodes.plan_markers import PlanMarkers
from mbrl_ros.nodes.plan_record import DOUBT, FEWER, FULL, POLICY, PlanRecord
from mbrl_ros.nodes.run import ManagedNode, run_node
from mbrl_ros.nodes.self_report import SelfReport
from mbrl_ros.nodes.state_watch import StateWatch
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.robots.fit import check_members
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.settings import POLICY_MODES, PlannerConfig
from mbrl_ros.types import NS, Action, Event, Plan, RobotState, Transition

IDLE = 1.0  # s
MARKERS_PERIOD = 0.1  # s
METRICS = (keys.PLAN_MS, keys.SAMPLES, keys.MODEL_VERSION, keys.COMMANDED_VX, keys.MEASURED_VX, keys.TRIM_VX)
METRICS += (keys.REWARD, keys.AT_GOAL, keys.OUTSIDE, keys.DISAGREEMENT, keys.DOUBT)


class Planner(ManagedNode):
    def __init__(self):
        super().__init__("planner")
        self._settings = Settings(self, PlannerConfig(), self._on_settings, self._check_change)

    def configure(self) -> None:
        config = self._settings.current
        torch.set_num_threads(torch_threads(config.precision, config.threads))
        self._spec = load_robot(config.robot)
        self._agent = Agent(self._spec, config)
        self._flying = Flying(self, self._agent, config)
        self._learner_asked = topics.client(self, topics.LOCKSTEP) if config.lockstep and config.learning else None
        self._plans = topics.publisher(self, topics.PLAN)
        self._transitions = topics.publisher(self, topics.TRANSITION)
        self._markers = PlanMarkers(self, self._agent)
        self._assembler = subscribe_state(self, self._spec, self._on_sample)
        topics.subscription(self, topics.EVENTS, self._on_event)
        self._offers = Offers(self, config.key_file, self._on_model, self._on_policy, self._flying.tell)
        self._flying.only_newer(self._offers.signed)
        if config.mode == "observe":
            topics.subscription(self, topics.commands(self._spec), self._on_foreign_command)
        else:
            topics.subscription(self, topics.APPLIED, self._on_applied)
        cmd_vel = topics.CMD_VEL_STAMPED if config.stamped_command else topics.CMD_VEL
        topics.subscription(self, cmd_vel, self._on_command)
        self._report = SelfReport(self, METRICS, self._numbers, self._health)
        self._report.every(MARKERS_PERIOD, lambda: self._markers.show(self._state))
        self._garbage = GarbageBetweenTicks()

    def activate(self) -> None:
        self._flying.tell("")
        self._flying.policies.take(wait=True)  # those that came before
        self._affordable = Affordable(self._agent)
        self._agent.warm_up(self._affordable.sizes)
        if fitting := self._affordable.begin():
            self.get_logger().info(fitting)
        self._steps = StepClock(self._spec.dt_ns, self._spec.sample_period_ns)
        achieved = Achieved(self._agent.task, self._spec.dt)
        experience = Experience(self._agent, time.time_ns())
        self._lessons = Lessons(experience, achieved, self._experienced, self._settings.current.lockstep)
        self._turns = self._in_turns() if self._settings.current.lockstep else None
        self._belief = Belief(self._agent.layout)
        self._watch = StateWatch(self._spec.dt_ns * 3 // 2, self._assembler.silent)
        self._command = VelocityCommand()
        self._time = RunningTime()
        self._state: RobotState | None = None  # the newest step's
        self._newest: tuple[int, int] | None = None  # robot time of the newest sample, and steady time of its receipt
        self._due: tuple[RobotState, int] | None = None  # a step to plan from, and when it came (steady time)
        self._offered: tuple[RobotState, int] | None = None  # the same, a round of callbacks ago
        self._ticks = PlanRecord(self._spec.dt)
        self._opinion = SecondOpinion(self._agent)
        for missing in realtime.take(self._settings.current.realtime):
            self.get_logger().warning(missing)
        self._garbage.begin(time.monotonic_ns())

    def deactivate(self) -> None:
        self._garbage.end()
        self._lessons.now()
        self._due = self._offered = None
        if self._turns:
            self._turns.waiting = None

    def clean_up(self) -> None:
        self._flying.close()

    def _in_turns(self) -> Turns:
        config, asked = self._settings.current, self._learner_asked
        learner = (
            LearnerInStep(asked, config.train_every, self._flying.models, self._lessons.experience) if asked else None
        )
        return Turns(self._spec.dt_ns, self._take_in, self._plan_in_turn, learner)

    def _check_change(self, now: PlannerConfig, new: PlannerConfig) -> None:
        if hasattr(self, "_flying"):
            self._flying.policies.take()
        agent = getattr(self, "_agent", None)
        check_mode(now.mode, new.mode, agent is None or agent.has_policy)
        if agent and agent.has_model:
            check_members(new, agent.search.model.members)

    # What comes in

    def _on_sample(self, state: RobotState) -> None:
        if not self.active:
            return
        received = time.monotonic_ns()
        if self._turns:
            self._turns.state(state)
            return
        if self._newest and state.stamp_ns < self._newest[0]:
            self._time.resume(received)  # a robot that started again will not say that the pause before has ended
        if self._newest is None or state.stamp_ns != self._newest[0]:  # a stuck driver repeats itself
            self._watch.state(self._time.at(received))
        self._newest = (state.stamp_ns, received)
        if self._take_in(state):
            self._due = (state, received)

    def _take_in(self, state: RobotState) -> bool:
        """Whether it is a control step to plan from."""
        if not self._belief.accepts(state):
            return False
        self._lessons.later(lambda experience: experience.state(state))
        verdict = self._steps.accept(state.stamp_ns)
        if verdict == "restart":
            self._agent.forget()
        return verdict != "between"

    def work(self) -> float:
        """Plans, once a round of callbacks has brought no newer state: never from one that waited in a queue."""
        if not self.active:
            return IDLE
        due, self._due, before = self._due, None, self._offered
        self._offered = due
        if due is None:
            self._lessons.now()
            self._look_for_states()
            return IDLE
        if due is not before:
            self._due = due
            return 0.0
        self._tick(*due)
        self._lessons.now()
        self._garbage.after_tick(time.monotonic_ns())
        return IDLE

    def _look_for_states(self) -> None:
        """After a round of callbacks that brought none: what came while a plan was made is not missing."""
        if self._turns is None and (trouble := self._watch.look(self._now())):
            self.get_logger().warning(trouble, throttle_duration_sec=2.0)

    def _on_applied(self, message) -> None:
        if not self.active:
            return
        try:
            told = applied_of(message, self._spec)
        except Refused as refusal:
            self.get_logger().error(f"applied: {refusal}", throttle_duration_sec=2.0)
            return
        self._agent.note_applied(told.stamp_ns, told.target, told.action)
        self._lessons.later(lambda e: e.applied(told.stamp_ns, told.target, told.action, told.model))
        if self._turns:
            self._turns.applied(told.stamp_ns)

    def _on_foreign_command(self, message) -> None:
        """Observing: somebody else drives, and what they command is what is applied."""
        if not self.active or self._newest is None:
            return
        try:
            target = target_of(message, self._spec)
        except Refused as refusal:
            self.get_logger().error(f"commands: {refusal}", throttle_duration_sec=2.0)
            return
        stamp_ns, received = self._newest
        stamp_ns += time.monotonic_ns() - received
        self._lessons.later(lambda experience: experience.applied(stamp_ns, target, Action.FOLLOW, 0))

    def _on_event(self, message) -> None:
        if not self.active:
            return
        if message.name == "pause":
            self._time.pause(time.monotonic_ns())
        elif message.name == "resume":
            self._time.resume(time.monotonic_ns())
        elif message.name in BREAKS and self._state is not None:
            self._on_break(message)

    def _on_break(self, message) -> None:
        try:
            event = event_of(message)
        except Refused as refusal:
            self.get_logger().error(str(refusal), throttle_duration_sec=2.0)
            return
        if event.stamp_ns >= self._state.stamp_ns - self._spec.dt_ns:
            self._start_anew(event)

    def _on_command(self, message) -> None:
        if not self.active:
            return
        try:
            self._command.receive(velocity_command_of(message), self._now())
        except Refused as refusal:
            self._command.refused += 1
            self.get_logger().warning(f"cmd_vel: {refusal}", throttle_duration_sec=2.0)

    def _on_model(self, content: Content) -> None:
        if self._settings.current.mode == "observe":
            return
        self._flying.models.offer(content)
        if self.active and self._turns:
            self._turns.go_on()

    def _on_policy(self, content: Content) -> None:
        if self._settings.current.mode != "observe":
            self._flying.policies.offer(content)

    def _on_settings(self, config: PlannerConfig) -> None:
        if not hasattr(self, "_agent"):
            return
        before = self._agent.config
        self._agent.configure(config)
        if self.active:
            self._affordable.configured(before, config)

    # One control step

    def _plan_in_turn(self, state: RobotState) -> None:
        if self._belief.doubts(state):  # the guard does likewise, but answers plans alone
            self._plans.publish(plan_message(self._agent.stand(state.stamp_ns), self._spec))
        else:
            self._tick(state, time.monotonic_ns())
        self._garbage.after_tick(time.monotonic_ns())

    def _tick(self, state: RobotState, received_ns: int) -> None:
        config = self._settings.current
        self._state = state
        if config.mode == "observe":
            self._lessons.experience.note(state.stamp_ns, self._wanted(), False)
            return
        wanted = self._wanted()
        plan = self._agent.act(state, wanted)
        if isinstance(plan, NoPlan):
            self._ticks.failed(time.monotonic_ns())
            self.get_logger().error(f"no plan: {plan.reason}", throttle_duration_sec=1.0)
            self._flying.failed(plan.reason)
            self._opinion.without_plan(state.stamp_ns)
        else:
            if self._turns or not self._agent.trust.stopped:  # else the guard stands; in lockstep it needs a plan to
                self._plans.publish(plan_message(plan, self._spec))
            self._note_plan(plan, received_ns, time.monotonic_ns())
            took_ns = 0 if self._turns else time.monotonic_ns() - received_ns
            self._opinion.after_plan(took_ns / NS, plan.stamp_ns)
        self._flying.take()

    def _note_plan(self, plan: Plan, received_ns: int, now_ns: int) -> None:
        self._flying.planned()
        self._lessons.experience.note(plan.stamp_ns, self._agent.command, plan.exploring)
        took_ms, result = (now_ns - received_ns) / 1e6, self._agent.last_result
        planned = result is not None  # and not decided by a policy
        self._ticks.planned(took_ms, result, self._rung(planned), now_ns)
        if planned:
            self._affordable.took(took_ms)

    def _rung(self, planned: bool) -> str:
        if self._agent.trust.stopped:
            return DOUBT
        if not planned:
            return POLICY if self._agent.mode in POLICY_MODES else FULL
        return FULL if self._agent.samples >= self._settings.current.search.samples else FEWER

    def _wanted(self) -> np.ndarray:
        if self._agent.task.command_size == 0:
            return np.zeros(0)
        c = self._settings.current
        return self._command.at(self._now(), c.command_timeout, c.speed_limit, c.yaw_rate_limit)

    def _now(self) -> int:
        """Steady time but for pauses; in lockstep robot time, so that no age depends on how fast the machine is."""
        if self._turns is None:
            return self._time.at(time.monotonic_ns())
        newest = self._turns.waiting or self._state
        return newest.stamp_ns if newest else 0

    def _experienced(self, transition: Transition) -> None:
        self._transitions.publish(transition_message(transition))
        self._flying.experienced(transition)

    def _start_anew(self, event: Event) -> None:
        self._lessons.later(lambda experience: experience.event(event))
        self._steps.restart()
        self._agent.forget(standing=True)

    # What it says about itself

    def _numbers(self) -> dict[str, float | None]:
        base = self._state.base if self._state else None
        wanted = self._wanted()
        return {
            keys.PLAN_MS: self._ticks.newest_ms,
            keys.SAMPLES: float(self._agent.samples),
            keys.MODEL_VERSION: float(self._agent.model_version),
            keys.COMMANDED_VX: float(wanted[0]) if len(wanted) else 0.0,
            keys.MEASURED_VX: float(base.linear_velocity_body[0]) if base else 0.0,
            keys.TRIM_VX: self._trim().get(keys.TRIM_VX),
            **self._lessons.numbers(),
            keys.DISAGREEMENT: self._opinion.disagreement,
            keys.DOUBT: self._agent.trust.doubt,
        }

    def _trim(self) -> dict[str, float]:
        return self._agent.trim.diagnostics(self._agent.command)

    def _health(self) -> tuple[bytes, str, dict]:
        values = {
            keys.MODE: self._agent.mode,
            **self._flying.diagnostics(),
            **self._lessons.diagnostics(),
            keys.SAMPLES: self._agent.samples,
            **self._ticks.diagnostics(time.monotonic_ns()),
            "latency_ms": self._agent.latency_steps * self._spec.dt * 1e3,
            **self._trim(),
            "state_gaps": self._watch.gaps,
            "cmd_vel_refused": self._command.refused,
            "policy_strange_steps": self._agent.strange_steps,
            "policy_strange_inputs": ", ".join(self._agent.strange_inputs),
            **self._assembler.refused,
            **self._belief.refused,
            **self._affordable.counts,
            **self._opinion.diagnostics(),
        }
        troubles = self._watch.report(), self._belief.report(), self._agent.trust.reason, self._opinion.trouble
        trouble = "; ".join(filter(None, (*troubles, self._flying.trouble)))
        level, text = (WARN, trouble) if trouble else (OK, self._agent.mode)
        if strangers := self._offers.trouble:
            level, text = ERROR, strangers
        return level, text, values


def main() -> int:
    return run_node(Planner)


if __name__ == "__main__":
    raise SystemExit(main())
