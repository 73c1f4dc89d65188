"""Prints docs/parameters.md, the list of all settings: `python -m mbrl_ros.parameters > docs/parameters.md`."""

from __future__ import annotations

import dataclasses

import yaml

from mbrl_ros.config import Leaf, leaves, range_text
from mbrl_ros.runs import SECTIONS
from mbrl_ros.settings import Shared


def document() -> str:
    """The whole of it."""
    shared = {f.name for f in dataclasses.fields(Shared)}
    parts = [("all nodes", "`/**`", Shared, leaves(Shared()))]
    for name, cls in SECTIONS.items():
        parts.append((name, f"`/**/{name}`", cls, [leaf for leaf in leaves(cls()) if leaf.name not in shared]))
    sections = [
        f"## {name}\n\n{(cls.__doc__ or '').strip()} In a run file below {key}.\n\n{_table(own)}"
        for name, key, cls, own in parts
    ]
    return "\n".join([_PREFACE, *sections])


_PREFACE = """# Parameters

Printed from mbrl_ros/settings.py by `python -m mbrl_ros.parameters > docs/parameters.md`; change it there.

A run is config/<run>.yaml, an ordinary ROS 2 parameter file; what it leaves out has the default given here.
`--action-map joint` lays config/<run>/joint.yaml over it, because another action map wants another planner. On a
command line a setting is `--set planner.mppi.samples=200`, or `--set seed=3` for one of all nodes. Every node declares
its settings as ROS parameters under these names; the live ones may change while it runs, as in
`ros2 param set /planner mppi.temperature 0.1`, the others are read once, at the start.
"""


def _table(settings: list[Leaf]) -> str:
    lines = ["| name | default | range | live | what it is |", "|---|---|---|---|---|"]
    lines += [f"| `{s.name}` | {_default(s)} | {_range(s)} | {'live' if s.live else ''} | {s.doc} |" for s in settings]
    return "\n".join(lines) + "\n"


def _default(setting: Leaf) -> str:
    return "empty" if setting.value == "" else yaml.safe_dump(setting.value).splitlines()[0]


def _range(setting: Leaf) -> str:
    if setting.choices:
        return ", ".join(setting.choices)
    if setting.low is None and setting.high is None:
        return {bool: "true, false", str: "text"}.get(type(setting.value), "any")
    return range_text(setting.low, setting.high)


if __name__ == "__main__":
    print(document(), end="")
