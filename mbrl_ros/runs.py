"""The settings of all nodes of one run: read from config/<run>.yaml, changed by overrides, written for the nodes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mbrl_ros.config import (
    ConfigError,
    as_mapping,
    build,
    laid_over,
    parse_yaml,
    read_yaml,
    replaced,
    unknown_key,
)
from mbrl_ros.idle_settings import check_said
from mbrl_ros.paths import named
from mbrl_ros.settings import BridgeConfig, GuardConfig, LearnerConfig, PlannerConfig, Shared

SECTIONS = {
    "bridge": BridgeConfig,
    "planner": PlannerConfig,
    "learner": LearnerConfig,
    "guard": GuardConfig,
}


@dataclass(frozen=True)
class RunConfig:
    """All settings of one run."""

    name: str
    bridge: BridgeConfig
    planner: PlannerConfig
    learner: LearnerConfig
    guard: GuardConfig

    def with_setting(self, dotted: str, value, where: str = "override") -> RunConfig:
        """With `node.key` (or a `key` of Shared, in every node) changed, checked strictly."""
        return self.with_all({dotted: value}, where)

    def with_all(self, changes: Mapping[str, Any], where: str = "override") -> RunConfig:
        """With several changed at once: some go only together."""
        shared = {f.name for f in dataclasses.fields(Shared)}
        own: dict[str, dict[str, Any]] = {s: {} for s in SECTIONS}
        for dotted, value in changes.items():
            head, _, rest = dotted.partition(".")
            if head in SECTIONS and rest:
                own[head][rest] = value
            elif dotted in shared:
                for below in own.values():
                    below[dotted] = value
            else:
                raise ConfigError(unknown_key(where, dotted, shared | {f"{s}.<key>" for s in SECTIONS}))
        nodes = {s: replaced(getattr(self, s), below, f"{where}: {s}") for s, below in own.items() if below}
        return dataclasses.replace(self, **nodes)


def with_settings(run: RunConfig, texts) -> RunConfig:
    """`run` with overrides as a command line gives them: 'planner.mppi.samples=200', values in YAML."""
    changes = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set {text}: expected <node>.<key>=<value>, as in planner.mppi.samples=200")
        try:
            parsed = parse_yaml(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {text}: {value!r} is not a YAML value") from error
        changes[name.strip()] = parsed
    if not changes:
        return run
    run = run.with_all(changes, "--set")
    check_said(run.planner, run.learner, changes, "--set")
    return run


def load_run(name: str, action_map: str | None = None) -> RunConfig:
    """The run of config/<name>.yaml, or of a path to such a file.

    Another action map wants another planner: with one, <name>/<action map>.yaml is laid over it where there is such.
    """
    path = named("config", name, ".yaml")
    content = read_yaml(path)
    if action_map is None:
        return parse_run(content, path.name, path.stem)
    own = path.with_suffix("") / f"{action_map}.yaml"
    if own.is_file():
        content = laid_over(content, read_yaml(own))
    run = parse_run(content, path.name, path.stem)
    return run.with_setting("planner.action_map", action_map, "--action-map")


def parse_run(content: dict, where: str, name: str) -> RunConfig:
    """A ROS 2 parameter file: `/**` for all nodes, `/**/planner` for one; each holds `ros__parameters`."""
    shared, own = {}, {s: {} for s in SECTIONS}
    for key, body in ((str(key), body) for key, body in content.items()):
        node = key.removeprefix("/**").removeprefix("/")
        if not key.startswith("/**") or (node and node not in SECTIONS):
            known = ["/**", *(f"/**/{s}" for s in SECTIONS)]
            if key.lstrip("/") in SECTIONS:
                raise ConfigError(f"{where}: write {'/**/' + key.lstrip('/')!r} for {key!r}: a namespace would hide it")
            raise ConfigError(unknown_key(where, key, known))
        if not isinstance(body, dict) or set(body) != {"ros__parameters"}:
            raise ConfigError(f"{where}: {key}: expected the one key ros__parameters")
        settings = {} if body["ros__parameters"] is None else body["ros__parameters"]
        if not isinstance(settings, dict):
            raise ConfigError(f"{where}: {key}: ros__parameters: expected keys and values, got {settings!r}")
        (own[node] if node else shared).update(settings)
    known = {f.name for f in dataclasses.fields(Shared)}
    for key in shared:
        if key not in known:
            raise ConfigError(unknown_key(f"{where}: /**", str(key), known))
    nodes = {s: build(cls, {**shared, **own[s]}, f"{where}: {s}") for s, cls in SECTIONS.items()}
    return RunConfig(name=name, **nodes)


def parameter_text(run: RunConfig) -> str:
    """The normalised ROS 2 parameter file: every setting present, numbers of the right type."""
    content = {f"/**/{s}": {"ros__parameters": as_mapping(getattr(run, s))} for s in SECTIONS}
    return yaml.safe_dump(content, sort_keys=False)


def write_parameters(run: RunConfig, path: Path) -> Path:
    path.write_text(parameter_text(run))
    return path
