"""A model as bytes: safetensors with a card in its header. Never unpickled; refused by name where it does not fit.

The card says its kind, and the settings of that; a file whose card does not is an ensemble.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from mbrl_ros.config import ConfigError, VersionRefused, build
from mbrl_ros.dynamics.calibration import Calibration
from mbrl_ros.dynamics.ensemble import Ensemble, Normaliser, action_units, layer_sizes
from mbrl_ros.dynamics.tensors import tensors_of, with_tensors
from mbrl_ros.kind_settings import ENSEMBLE, parsed
from mbrl_ros.known import the
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.robots.features import FeatureLayout

MOST_VERSIONS = 2**31


class ModelRefused(VersionRefused):
    """These bytes are no model of this robot."""


@dataclass(frozen=True)
class Card:
    """What is known about a model."""

    robot: str
    layout: str  # RobotSpec.layout_hash
    version: int
    seconds: float  # of robot data behind it
    held_out_error: float
    one_step_r2: float
    calibration: Calibration | None = None  # None: of a file that was written without
    kind: str = ENSEMBLE
    kind_settings: str = ""  # all of them, of another kind than ensemble


def to_bytes(model, card: Card) -> bytes:
    """`model` of the kind that the card says."""
    if card.kind != ENSEMBLE:
        tensors = {name: tensor.detach().clone().contiguous() for name, tensor in tensors_of(model).items()}
        return save_tensors(tensors, {"card": json.dumps(asdict(card))})
    tensors = {f"weight.{i}": w.detach().contiguous() for i, w in enumerate(model.weights)}
    tensors |= {f"bias.{i}": b.detach().contiguous() for i, b in enumerate(model.biases)}
    tensors |= {f"normaliser.{f.name}": getattr(model.normaliser, f.name).contiguous() for f in fields(Normaliser)}
    metadata = {"card": json.dumps(asdict(card)), "ensemble": json.dumps(asdict(model.config))}
    return save_tensors(tensors, metadata)


def read_header(data: bytes) -> dict[str, str]:
    """The metadata of safetensors bytes."""
    try:
        size = int.from_bytes(data[:8], "little")
        if len(data) < 8 or size > len(data) - 8:
            raise ValueError(f"{len(data)} bytes are too few")
        header = json.loads(data[8 : 8 + size])
        return dict(header["__metadata__"])
    except (ValueError, KeyError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelRefused(f"not a model file: {error}") from error


def from_bytes(data: bytes, layout: FeatureLayout) -> tuple[Any, Card]:
    """The model and its card; ModelRefused where it is damaged, of another robot or another layout, or not finite."""
    metadata = read_header(data)
    try:
        card = build(Card, json.loads(metadata["card"]), "card")
        if card.kind == ENSEMBLE:
            config = build(EnsembleConfig, json.loads(metadata["ensemble"]), "ensemble")
        else:
            config = build(the("model", card.kind).Config, parsed(card.kind_settings), f"settings of {card.kind}")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ModelRefused(f"not a model file: its card is damaged: {error}") from error
    if not 0 <= card.version < MOST_VERSIONS:
        raise ModelRefused(f"not a model file: version {card.version}")
    if card.layout != layout.spec.layout_hash:
        raise ModelRefused(
            f"model of robot {card.robot!r} (layout {card.layout}) does not fit {layout.spec.name!r} "
            f"(layout {layout.spec.layout_hash}): joints, gains, features or dt differ; train one with `mbrl train`"
        )
    try:
        tensors = load_tensors(data)
        if card.kind == ENSEMBLE:
            return _ensemble(tensors, config, layout), card
        return _of_kind(card.kind, tensors, config, layout), card
    except SafetensorError as error:
        raise ModelRefused(f"model file is damaged: {error}", card.version) from error
    except ConfigError as refusal:
        raise ModelRefused(str(refusal), card.version) from refusal


def _of_kind(name: str, tensors: dict[str, torch.Tensor], config, layout: FeatureLayout):
    """A new one of that kind with these tensors. Which shapes they must have, one without any memory says first: a file
    may claim to be far larger than it is."""
    kind = the("model", name)
    with torch.device("meta"):
        expected = tensors_of(kind.new(config, layout, 0))
    for part, tensor in expected.items():
        _check(tensors, part, tuple(tensor.shape))
    return with_tensors(kind.new(config, layout, 0), tensors)


def _ensemble(tensors: dict[str, torch.Tensor], config: EnsembleConfig, layout: FeatureLayout) -> Ensemble:
    sizes = layer_sizes(config, layout)
    pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
    shapes = {f"weight.{i}": (config.members, *pair) for i, pair in enumerate(pairs)}
    shapes |= {f"bias.{i}": (config.members, 1, out) for i, (_, out) in enumerate(pairs)}
    shapes |= {f"normaliser.{f.name}": (layout.size,) for f in fields(Normaliser)}
    for name, shape in shapes.items():
        _check(tensors, name, shape)
    weights = tuple(tensors[f"weight.{i}"] for i in range(len(pairs)))
    biases = tuple(tensors[f"bias.{i}"] for i in range(len(pairs)))
    normaliser = Normaliser(*(tensors[f"normaliser.{f.name}"] for f in fields(Normaliser)))
    return Ensemble(config, weights, biases, normaliser, *action_units(layout.spec))


def _check(tensors: dict[str, torch.Tensor], name: str, shape: tuple[int, ...]) -> None:
    if name not in tensors:
        raise ModelRefused(f"model file lacks {name!r}")
    tensor = tensors[name]
    if tensor.shape != shape or tensor.dtype != torch.float32:
        raise ModelRefused(f"model file has {name} of {tuple(tensor.shape)} {tensor.dtype}, expected {shape} float32")
    if not torch.isfinite(tensor).all():
        raise ModelRefused(f"model file has values in {name} that are not finite")
    if name.endswith("_std") and not (tensor > 0).all():
        raise ModelRefused(f"model file has a standard deviation in {name} that is not above zero")
