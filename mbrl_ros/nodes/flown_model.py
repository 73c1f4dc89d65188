"""Models as the planner flies them: read, checked, folded and packed."""

from __future__ import annotations

from collections.abc import Callable

from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.ensemble import Ensemble
from mbrl_ros.dynamics.native import planning_model
from mbrl_ros.dynamics.storage import Card, from_bytes
from mbrl_ros.nodes.flown import Flown, Version


def flown_model(
    agent: Agent, first: tuple[Ensemble, Card] | None, tell: Callable[[str], None], note: Callable[[str], None]
) -> Flown:
    """Decides which model `agent` has."""

    def ready(model: Ensemble, card: Card) -> Version:
        config = agent.config
        return Version(planning_model(model, config.precision, config.threads), card.version, identity=card.version)

    def read(content: bytes) -> Version:
        return ready(*from_bytes(content, agent.layout))

    return Flown("model", read, lambda *found: agent.set_model(*found), tell, note, ready(*first) if first else None)
