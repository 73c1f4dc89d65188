"""Models as the planner flies them: read, checked, folded and packed, compared with the flown one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mbrl_ros.config import ConfigError, VersionRefused
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.surprise import Predictor, Surprises
from mbrl_ros.dynamics.native import planning_model
from mbrl_ros.dynamics.storage import Card, from_bytes
from mbrl_ros.nodes.flown import Flown, Version
from mbrl_ros.robots.fit import check_members


def flown_model(
    agent: Agent,
    first: tuple[Any, Card] | None,
    tell: Callable[[str], None],
    note: Callable[[str], None],
    surprises: Surprises | None = None,
) -> Flown:
    """Decides which model `agent` has. One that predicts what `surprises` remembers far worse than the flown one does
    is refused before it is flown."""

    def ready(model, card: Card) -> Version:
        config = agent.config
        try:
            check_members(config, model.members)
        except ConfigError as error:
            raise VersionRefused(str(error), card.version) from error
        packed = planning_model(model, config.precision, config.threads)
        return Version(Predictor(packed, card.calibration), card.version, identity=card.version)

    def read(content: bytes) -> Version:
        return ready(*from_bytes(content, agent.layout))

    def fly(found: Predictor | None, version: int) -> None:
        agent.set_model(found.model if found else None, version)
        agent.trust.calibration = found.calibration if found else None
        if surprises:
            surprises.forget()

    def objection(new: Version, flown: Version) -> str:
        return surprises.objection(new.found, flown.found) if surprises else ""

    return Flown("model", read, fly, tell, note, ready(*first) if first else None, objection)
