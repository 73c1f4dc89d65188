"""The model and the policy that the planner flies, and its words about them on model_status."""

from __future__ import annotations

from mbrl_ros.control.agent import Agent
from mbrl_ros.control.surprise import Surprise, Surprises
from mbrl_ros.learning.models import load_model
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.flown_model import flown_model
from mbrl_ros.nodes.flown_policy import flown_policy
from mbrl_ros.nodes.messages.status import ERROR, OK, status_message
from mbrl_ros.settings import PlannerConfig
from mbrl_ros.types import Transition


class Flying:
    """Made in `configure`: what comes from then on is read at once, and flown once a tick has taken it."""

    def __init__(self, node, agent: Agent, config: PlannerConfig):
        self._node, self._agent, self._config = node, agent, config
        self._status = topics.publisher(node, topics.MODEL_STATUS)
        first = load_model(config.model, "", agent.layout) if config.mode != "observe" else None
        log = node.get_logger()
        self._surprises = Surprises(agent.layout.scales)
        self._surprise: Surprise | None = None  # what goes on now
        self.models = flown_model(agent, first, self.tell, log.debug, self._surprises)
        self.policies = flown_policy(config, agent, log.warning, self.tell, note=log.info)

    def take(self) -> None:
        """Between two ticks. In lockstep beside a learner, models are flown when it names them, and not here."""
        if not (self._config.lockstep and self._config.learning):
            self.models.take(wait=self._config.lockstep)
        self.policies.take(wait=self._config.lockstep)

    def only_newer(self, wanted: bool) -> None:
        """Refuse what is older than what is flown, too."""
        self.models.only_newer = self.policies.only_newer = wanted

    def planned(self) -> None:
        self.models.planned()
        self.policies.planned()

    def failed(self, reason: str) -> None:
        """A tick without a plan, whose fault it is: where nothing was searched for, the policy decided."""
        at_fault = self.policies if self._agent.last_result is None else self.models
        at_fault.failed(reason)

    def experienced(self, transition: Transition) -> None:
        """Beside what the flown model expected: one that is wrong where the version before it was not, goes back."""
        if self.models.flown.found is None:
            return
        self._surprise = self._surprises.look(transition, self.models.flown.found, self.models.before.found)
        if self._surprise and self._surprise.better is not None:
            self.models.give_up(self._surprise.reason)
            self._surprise = None

    @property
    def trouble(self) -> str:
        """Surprises that no version would have been spared; empty: none now."""
        return f"the robot does not do what the model says: {self._surprise.reason}" if self._surprise else ""

    def tell(self, trouble: str) -> None:
        """On model_status: what went wrong, or nothing; and what is flown now."""
        if trouble:
            self._node.get_logger().error(trouble)
        version = self.models.version
        values = {
            keys.VERSION: version,
            **{f"{keys.MODEL_REFUSED}{v}": why for v, why in self.models.refused.items()},
            keys.POLICY: self.policies.version,
            **{f"{keys.POLICY_REFUSED}{v}": why for v, why in self.policies.refused.items()},
        }
        level, text = (ERROR, trouble) if trouble else (OK, f"flying model {version}")
        self._status.publish(status_message(self._node.get_fully_qualified_name(), text, values, level))

    def diagnostics(self) -> dict[str, int]:
        return {
            keys.MODEL_VERSION: self.models.version,
            keys.SWAPS: self.models.swaps,
            keys.SURPRISING_STEPS: self._surprises.beyond,
            keys.POLICY_VERSION: self.policies.version,
            keys.POLICY_SWAPS: self.policies.swaps,
        }

    def close(self) -> None:
        self.models.close()
        self.policies.close()
