"""What a robot goes through, as numbered transitions: states, and what was in force between them."""

from __future__ import annotations

import numpy as np

from mbrl_ros.control.agent import Agent
from mbrl_ros.control.latency import LatencyEstimate
from mbrl_ros.control.recorder import Recorder
from mbrl_ros.data.pairing import Pairing, Step
from mbrl_ros.types import Action, Event, RobotState, Transition


class Experience:
    """Give it all that is seen and told; take the transitions that each call completes, usually none or one.

    The latency found in them shifts their actions from then on, and `agent` plans by it. Times are robot time.
    """

    def __init__(self, agent: Agent, start_ns: int):
        self._agent, self._dt_ns = agent, agent.spec.dt_ns
        self._pairing = Pairing(agent.spec, agent.latency_steps * self._dt_ns)
        self._recorder = Recorder(agent.layout, agent.task, start_ns)
        estimate = agent.config.estimate_latency
        self._latency = LatencyEstimate(agent.layout, agent.latency_steps) if estimate else None

    @property
    def sent(self) -> int:
        """Transitions so far."""
        return self._recorder.sent

    @property
    def dropped(self) -> int:
        """Pairs of consecutive steps that could not be used."""
        return self._pairing.dropped

    @property
    def ahead(self) -> int:
        """`applied` that were told for a time to which the robot had not come."""
        return self._pairing.ahead

    def note(self, stamp_ns: int, command: np.ndarray, exploring: bool) -> None:
        """Under what the step that begins at `stamp_ns` was decided."""
        agent = self._agent
        self._recorder.note(stamp_ns, command, agent.phase(stamp_ns), exploring, agent.trust.unsure)

    def state(self, state: RobotState) -> list[Transition]:
        return self._transitions(self._pairing.state(state))

    def applied(self, stamp_ns: int, target: np.ndarray, action: Action, model: int) -> list[Transition]:
        return self._transitions(self._pairing.applied(stamp_ns, target, action, model))

    def event(self, event: Event) -> list[Transition]:
        return self._transitions(self._pairing.event(event))

    def _transitions(self, steps: list[Step]) -> list[Transition]:
        transitions = [self._recorder.transition(step) for step in steps]
        if self._latency and any([self._latency.add(t) for t in transitions]):
            self._agent.latency_steps = self._latency.steps
            self._pairing.shift(self._latency.steps * self._dt_ns)
            self._recorder.mark_anew()
        return transitions
