"""What a policy's file says about itself, and which robot may fly it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np

from mbrl_ros.config import VersionRefused, build
from mbrl_ros.robots.action_maps import make_action_map, map_hash
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec

CARD = "mbrl_ros.policy"  # key of the metadata
MOST_VERSIONS = 2**53  # what a double counts to


class PolicyRefused(VersionRefused):
    """These bytes are no policy for this robot."""


@dataclass(frozen=True)
class PolicyCard:
    """Everything that must fit, and what is good to know."""

    robot: str
    layout: str  # RobotSpec.layout_hash
    task: str
    action_map: str
    map_hash: str  # of what that is made of: the gait, the legs, its bounds
    version: int
    model_version: int  # of the model that it was distilled from
    model_hash: str  # of that model's bytes
    joints: tuple[str, ...]  # in the order of the targets
    low: tuple[float, ...]  # limits of the targets
    high: tuple[float, ...]
    kp: tuple[float, ...]
    kv: tuple[float, ...]
    discount: float  # of each further step, in what a state is worth
    seen: tuple[str, ...]  # names of the inputs, in their order
    lowest: tuple[float, ...]  # of each input in what it was distilled on
    highest: tuple[float, ...]
    golden_seen: tuple[float, ...]  # an input, and what must come of it
    golden_prior: tuple[float, ...]
    golden_decisions: tuple[float, ...]
    golden_value: float

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> PolicyCard:
        try:
            card = build(PolicyCard, json.loads(text), "card")
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise PolicyRefused(f"not a policy file: its card is damaged, or of another release: {error}") from error
        _check_numbers(card)
        return card


def _check_numbers(card: PolicyCard) -> None:
    """PolicyRefused where they make no sense for any robot."""
    whose = f"policy {card.version} of robot {card.robot!r}"
    if not 1 <= card.version <= MOST_VERSIONS:
        raise PolicyRefused(f"not a policy file: version {card.version}")
    if not 0 <= card.model_version <= MOST_VERSIONS:
        raise PolicyRefused(f"{whose}: model_version {card.model_version}", card.version)
    if not 0 <= card.discount < 1:
        raise PolicyRefused(f"{whose}: discount {card.discount:g} must be at least 0 and below 1", card.version)
    inputs = len(card.seen)
    if not len(card.lowest) == len(card.highest) == len(card.golden_seen) == inputs:
        raise PolicyRefused(f"{whose}: its ranges and golden pair are not as long as its {inputs} inputs", card.version)
    ranges = zip((*card.seen, *card.joints), (*card.lowest, *card.low), (*card.highest, *card.high), strict=False)
    for name, low, high in ranges:
        if low > high:
            raise PolicyRefused(
                f"{whose}: {name} from {low:g} to {high:g}: its lowest is above its highest", card.version
            )


def robot_part(spec: RobotSpec, action_map: str) -> dict[str, str | tuple]:
    """Of a card: what the robot file and its action map decide."""
    low, high = np.round(spec.target_limits, 6).tolist()
    joints = spec.actuated
    return {
        "robot": spec.name,
        "layout": spec.layout_hash,
        "action_map": action_map,
        "map_hash": map_hash(action_map, spec),
        "joints": tuple(j.name for j in joints),
        "low": tuple(low),
        "high": tuple(high),
        "kp": tuple(j.kp for j in joints),
        "kv": tuple(j.kv for j in joints),
    }


def input_names(layout: FeatureLayout, command_size: int) -> tuple[str, ...]:
    return (*layout.names, *(f"command {i}" for i in range(command_size)), "sin phase", "cos phase")


def check_fits(card: PolicyCard, layout: FeatureLayout, task: str, action_map: str, command_size: int) -> None:
    """PolicyRefused, by name and reason, where the robot is another one or was changed since."""
    spec, whose = layout.spec, f"policy {card.version} of robot {card.robot!r}"
    if card.robot != spec.name:
        raise PolicyRefused(f"{whose} is not for {spec.name!r}; distil one with `mbrl distill`")  # whose number it is
    here = robot_part(spec, action_map)
    if card.joints != here["joints"]:
        raise PolicyRefused(f"{whose} has joints {_difference(card.joints, here['joints'])}", card.version)
    for part in ("low", "high", "kp", "kv"):
        theirs, own = getattr(card, part), here[part]
        if len(theirs) != len(own) or not np.allclose(theirs, own, atol=1e-5):
            names = [n for n, a, b in zip(card.joints, theirs, own, strict=False) if abs(a - b) > 1e-5]
            raise PolicyRefused(f"{whose}: {part} differs at {', '.join(names)}; distil anew", card.version)
    for part, own in (("layout", spec.layout_hash), ("task", task), ("action_map", action_map)):
        if getattr(card, part) != own:
            raise PolicyRefused(
                f"{whose} is for {part} {getattr(card, part)!r}, not {own!r}; distil anew", card.version
            )
    if card.map_hash != here["map_hash"]:
        raise PolicyRefused(
            f"{whose}: the gait or the action map {action_map!r} was changed since (map {card.map_hash}, here "
            f"{here['map_hash']}); distil anew",
            card.version,
        )
    size = make_action_map(action_map, spec).size
    if not len(card.golden_decisions) == len(card.golden_prior) == size:
        raise PolicyRefused(
            f"{whose}: its golden pair has {len(card.golden_prior)} and {len(card.golden_decisions)} decisions, action "
            f"map {action_map!r} has {size}",
            card.version,
        )
    if card.seen != input_names(layout, command_size):
        raise PolicyRefused(f"{whose} sees {_difference(card.seen, input_names(layout, command_size))}", card.version)


def _difference(theirs: tuple[str, ...], own: tuple[str, ...]) -> str:
    if sorted(theirs) == sorted(own):
        first = next(i for i, (a, b) in enumerate(zip(theirs, own, strict=True)) if a != b)
        return f"in another order: {theirs[first]} where {own[first]} is here"
    lacking, more = sorted(set(own) - set(theirs)), sorted(set(theirs) - set(own))
    return f"that differ: without {', '.join(lacking) or 'none'}, with {', '.join(more) or 'none'} besides"
