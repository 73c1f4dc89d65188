"""What a run says of the kind of model that it learns: the kind's own settings, and which of the learner's it reads.

A kind's settings are its Config, next to which nobody has to write anything else: as a text, 'particles=10, steps=4',
they go through run files, parameters and model files. No torch here; a kind's module is imported when it is asked for.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import yaml

from mbrl_ros.config import ConfigError, build, parse_yaml
from mbrl_ros.known import the

ENSEMBLE = "ensemble"  # the kind that is trained on, round after round; all others are fitted anew
SHAPE = ("width", "layers")  # that any network takes from learner.ensemble
ITS_OWN = "the ensemble's alone"
OF_TRAINING_ON = "it is fitted anew in every round, for learner.first_steps"
UNREAD = {  # of learner.*, by every kind but the ensemble
    "ensemble.members": ITS_OWN,
    "ensemble.prior": ITS_OWN,
    "steps": OF_TRAINING_ON,
    "train.replay": OF_TRAINING_ON,
    "train.priority": OF_TRAINING_ON,
    "train.correction": OF_TRAINING_ON,
}


def kind_config(name: str, shape, said: str = ""):
    """The Config of a kind: what is `said`, as in learner.kind_settings, else networks as wide and deep as `shape`."""
    module = the("model", name)
    known = {f.name for f in dataclasses.fields(module.Config)}
    values = {key: getattr(shape, key) for key in SHAPE if key in known}
    return build(module.Config, values | parsed(said), f"settings of kind {name}")


def learned_members(learner) -> int:
    """Of the models that come of these settings of the learner."""
    if learner.kind == ENSEMBLE:
        return learner.ensemble.members
    config = kind_config(learner.kind, learner.ensemble, learner.kind_settings)
    return getattr(config, "particles", getattr(config, "members", 1))


def parsed(said: str) -> dict[str, Any]:
    """'particles=10, steps=4' -> what it says."""
    found = {}
    for part in filter(None, (part.strip() for part in said.split(","))):
        key, equals, value = part.partition("=")
        if not equals:
            raise ConfigError(f"kind_settings {said!r}: expected settings and commas, as in 'particles=10, steps=4'")
        if (key := key.strip()) in found:
            raise ConfigError(f"kind_settings {said!r}: {key} stands there twice")
        try:
            found[key] = parse_yaml(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"kind_settings {said!r}: {value!r} is no value") from error
    return found


def as_text(config) -> str:
    """All settings of a Config, as `parsed` reads them."""
    return ", ".join(f"{f.name}={getattr(config, f.name)!r}" for f in dataclasses.fields(config))


def single_steps(name: str) -> bool:
    """Whether its loss knows nothing of windows: each of their steps counts by itself."""
    return getattr(the("model", name), "SINGLE_STEPS", False)


def unread(name: str) -> dict[str, str]:
    """The settings of the learner that a kind does nothing with, and why."""
    if name == ENSEMBLE:
        return {
            "kind_settings": "its own are learner.ensemble",
            "train.corrective": "it is of kinds that are fitted anew, as l2",
        }
    known = {f.name for f in dataclasses.fields(the("model", name).Config)}
    found = UNREAD | {f"ensemble.{key}": "it has no such networks" for key in SHAPE if key not in known}
    return found | {"train.rollout": "it learns single steps"} if single_steps(name) else found
