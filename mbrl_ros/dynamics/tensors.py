"""The tensors of a model by name, wherever in its records they are: what a file has to hold of any kind of model.

A model is a frozen record of tensors, tuples of them, and such records; whatever else is in it, its Config says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace

from torch import Tensor


def tensors_of(model, before: str = "") -> dict[str, Tensor]:
    """'net.weights.0' -> the tensor, and so on."""
    found = {}
    for f in fields(model):
        value, name = getattr(model, f.name), f"{before}{f.name}"
        if isinstance(value, Tensor):
            found[name] = value
        elif _are_tensors(value):
            found |= {f"{name}.{i}": tensor for i, tensor in enumerate(value)}
        elif is_dataclass(value):
            found |= tensors_of(value, f"{name}.")
    return found


def with_tensors(model, tensors: Mapping[str, Tensor], before: str = ""):
    """The same model with these in place of its own, by the names of `tensors_of`."""
    new = {}
    for f in fields(model):
        value, name = getattr(model, f.name), f"{before}{f.name}"
        if isinstance(value, Tensor):
            new[f.name] = tensors[name]
        elif _are_tensors(value):
            new[f.name] = tuple(tensors[f"{name}.{i}"] for i in range(len(value)))
        elif is_dataclass(value):
            new[f.name] = with_tensors(value, tensors, f"{name}.")
    return replace(model, **new)


def _are_tensors(value) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(part, Tensor) for part in value)
