"""Settings are frozen dataclasses; one strict loader builds them, and says where a wrong key stands and what was meant.

The YAML files are ordinary ROS 2 parameter files. rclpy accepts neither 1 for a double nor a mixed list, and drops
unknown keys silently; so every command loads a file here first and hands the nodes the normalised text.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


class ConfigError(ValueError):
    """A setting is wrong; the message names the file, the key and the mend."""


class VersionRefused(ConfigError):
    """Something learned cannot be used here; the message says why, `version` which of them it is, if known."""

    def __init__(self, why: str, version: int | None = None):
        super().__init__(why)
        self.version = version


def setting(default: Any, doc: str, low=None, high=None, choices=None, live: bool = False):
    """A dataclass field with a description, a range and whether it may change while running."""
    metadata = {"doc": doc, "low": low, "high": high, "choices": choices, "live": live}
    if isinstance(default, (list, dict)):
        raise TypeError("use tuples for list settings")
    return field(default=default, metadata=metadata)


def section(cls):
    """A nested group of settings."""
    return field(default_factory=cls, metadata={"doc": (cls.__doc__ or "").strip().splitlines()[0]})


def build(cls, mapping: dict, where: str):
    """`cls` from a mapping; unknown keys, wrong types and values out of range are errors that begin with `where`."""
    if not isinstance(mapping, dict):
        raise ConfigError(f"{where}: expected keys and values, got {mapping!r}")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    hints = typing.get_type_hints(cls)
    values = {}
    for key, value in mapping.items():
        if key not in fields:
            raise ConfigError(unknown_key(where, str(key), fields))
        values[key] = _coerce(hints[key], value, f"{where}.{key}", fields[key].metadata)
    missing = [
        name
        for name, f in fields.items()
        if name not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{where}: missing {', '.join(missing)}")
    try:
        return cls(**values)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def unknown_key(where: str, key: str, known) -> str:
    near = difflib.get_close_matches(key, list(known), n=1)
    hint = f", did you mean {near[0]!r}?" if near else f". Known: {', '.join(sorted(known))}"
    return f"{where}: unknown key {key!r}{hint}"


def _coerce(hint, value, where: str, metadata=types.MappingProxyType({})):
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        options = typing.get_args(hint)
        if value is None and type(None) in options:
            return None
        return _coerce(next(o for o in options if o is not type(None)), value, where, metadata)
    if dataclasses.is_dataclass(hint):
        return value if isinstance(value, hint) else build(hint, value, where)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{where}: expected a list, got {value!r}")
        inner = typing.get_args(hint)
        if len(inner) == 2 and inner[1] is Ellipsis:
            inner = (inner[0],) * len(value)
        elif len(inner) != len(value):
            raise ConfigError(f"{where}: expected {len(inner)} values, got {len(value)}")
        return tuple(
            _coerce(t, v, f"{where}[{i}]", metadata) for i, (t, v) in enumerate(zip(inner, value, strict=True))
        )
    if origin is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: expected keys and values, got {value!r}")
        inner = typing.get_args(hint)[1]
        return {str(k): _coerce(inner, v, f"{where}.{k}", metadata) for k, v in value.items()}
    return _scalar(hint, value, where, metadata)


def _scalar(kind, value, where: str, metadata):
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError as error:
            raise ConfigError(f"{where}: a number of {value.bit_length()} bits is too large") from error
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ConfigError(f"{where}: expected {_plain(kind)}, got {value!r}")
    if kind is float and not abs(value) < float("inf"):
        raise ConfigError(f"{where}: {value!r} is not a finite number")
    low, high, choices = metadata.get("low"), metadata.get("high"), metadata.get("choices")
    if (low is not None and value < low) or (high is not None and value > high):
        raise ConfigError(f"{where}: {value!r} is outside the range {range_text(low, high)}")
    if choices is not None and value not in choices:
        near = difflib.get_close_matches(str(value), choices, n=1)
        hint = f", did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{where}: {value!r} is none of {', '.join(choices)}{hint}")
    return value


def range_text(low, high) -> str:
    if high is None:
        return f"{low} and above"
    return f"up to {high}" if low is None else f"{low} .. {high}"


def _plain(kind) -> str:
    return {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}.get(kind, str(kind))


class _Loader(yaml.SafeLoader):
    """A key that stands twice is an error, and 1e-3 is a number, as it is for the ROS parameter parser.

    That knows no aliases either; with them, a few lines make a tree that nobody could print.
    """

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError(f"an alias, on line {self.peek_event().start_mark.line + 1}: write it out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node, deep=False):
        seen = []
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.YAMLError(f"{key.value!r} stands twice, again on line {key.start_mark.line + 1}")
            seen.append(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parse_yaml(text: str) -> Any:
    """YAMLError where it is none."""
    try:
        return yaml.load(text, Loader=_Loader)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:  # of dates and numbers
        raise yaml.YAMLError(f"{type(error).__name__}: {error}") from error


def read_yaml(path: Path) -> dict:
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path.name}: not a text file: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path.name}: not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path.name}: expected keys and values at the top")
    return content


def laid_over(below: dict, above: dict) -> dict:
    """`below` with what `above` says, section by section."""
    both = {
        k: laid_over(below[k], v) for k, v in above.items() if isinstance(v, dict) and isinstance(below.get(k), dict)
    }
    return {**below, **above, **both}


@dataclass(frozen=True)
class Leaf:
    """One setting of a tree of settings, by its dotted ROS parameter name."""

    name: str
    value: Any
    doc: str
    low: float | None
    high: float | None
    choices: tuple[str, ...] | None
    live: bool


def leaves(config, prefix: str = "") -> list[Leaf]:
    """All settings of a dataclass and its sections: what a node declares as parameters."""
    found = []
    for f in dataclasses.fields(config):
        value = getattr(config, f.name)
        name = f"{prefix}{f.name}"
        if dataclasses.is_dataclass(value):
            found += leaves(value, f"{name}.")
        else:
            m = f.metadata
            limits = m.get("low"), m.get("high"), m.get("choices")
            found.append(Leaf(name, value, m.get("doc", ""), *limits, bool(m.get("live"))))
    return found


def replaced(config, changes: Mapping[str, Any], where: str = "override"):
    """`config` with dotted settings changed, all at once, since some go only together; checked as a file is."""
    fields = {f.name: f for f in dataclasses.fields(config)}
    new, inside = {}, {}
    for name, value in changes.items():
        head, _, rest = name.partition(".")
        if head not in fields:
            raise ConfigError(unknown_key(where, head, fields))
        if rest:
            inside.setdefault(head, {})[rest] = value
        else:
            hint = typing.get_type_hints(type(config))[head]
            new[head] = _coerce(hint, value, f"{where}.{head}", fields[head].metadata)
    for head, below in inside.items():
        new[head] = replaced(getattr(config, head), below, f"{where}.{head}")
    try:
        return dataclasses.replace(config, **new)
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from error


def as_mapping(config) -> dict:
    """Plain nested mapping of a dataclass, ready for YAML or JSON."""
    return {
        f.name: (
            as_mapping(value)
            if dataclasses.is_dataclass(value := getattr(config, f.name))
            else list(value)
            if isinstance(value, tuple)
            else value
        )
        for f in dataclasses.fields(config)
    }
