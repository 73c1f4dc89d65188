"""The layers of the source tree, read from its imports without running it."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "mbrl_ros"

L0 = "types config known kind_settings search_settings learner_settings settings idle_settings runs parameters paths"
L0 += " content compiled authentic"
LAYERS = (
    tuple(L0.split()),
    ("robots", "safety", "tasks", "data", "dynamics"),
    ("planners", "policies"),
    ("control", "learning", "distilling", "backends"),
    ("nodes", "monitor", "bench", "chaos", "stack", "up", "cli"),
)
LAYER_OF = {part: layer for layer, parts in enumerate(LAYERS) for part in parts}

SPEAKS_ROS = ("nodes", "monitor", "stack")
ROS_IMPORT = re.compile(r"(rclpy|launch|launch_ros|ament_index_python|\w+_msgs|\w+_srvs|\w+_interfaces)$")
WITHOUT_TORCH = ("safety", "robots.spec", "nodes.guard")
VAGUE_NAMES = {"utils", "util", "common", "helpers", "helper", "manager", "misc", "tools"}
MOST_LINES = 400


@dataclass(frozen=True)
class Module:
    """One file of the package. `name` is dotted, below the package: `robots.spec`."""

    path: Path
    name: str

    @property
    def part(self) -> str:
        return self.name.split(".")[0]

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(), str(self.path))

    @cached_property
    def imports(self) -> set[str]:
        """Every dotted name that is imported anywhere in the file; `from a import b` gives a.b."""
        found = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found |= {"." * node.level + f"{node.module or ''}.{alias.name}" for alias in node.names}
        return found

    @cached_property
    def neighbours(self) -> set[str]:
        """The modules of this package that it imports, and the `__init__` of each folder on the way to them."""
        inside = {name.removeprefix(f"{PACKAGE}.") for name in self.imports if name.startswith(f"{PACKAGE}.")}
        return {known for name in inside for known in _modules_on_the_way_to(name)}

    @property
    def is_node(self) -> bool:
        return self.part == "nodes" and any(isinstance(d, ast.FunctionDef) and d.name == "main" for d in self.tree.body)

    def __str__(self) -> str:
        return self.name


def _name(path: Path) -> str:
    dotted = ".".join(path.relative_to(ROOT / PACKAGE).with_suffix("").parts)
    return dotted.removesuffix("__init__").rstrip(".")


MODULES = {_name(path): Module(path, _name(path)) for path in sorted((ROOT / PACKAGE).rglob("*.py"))}
PYTHON_FILES = sorted(p for top in (PACKAGE, "test", "launch") for p in (ROOT / top).rglob("*.py"))


def _modules_on_the_way_to(name: str) -> list[str]:
    """`robots.spec.RobotSpec` -> `robots`, `robots.spec`: all that Python runs to import it."""
    parts = name.split(".")
    return [m for n in range(1, len(parts) + 1) if (m := ".".join(parts[:n])) in MODULES]


def _reachable(start: Module) -> set[str]:
    """All modules of the package that importing `start` may import, itself included."""
    seen, waiting = set(), [start.name]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += MODULES[name].neighbours | set(_modules_on_the_way_to(name))
    return seen


def _tops(module: Module) -> set[str]:
    return {name.split(".")[0] for name in module.imports}


every_module = pytest.mark.parametrize("module", [m for m in MODULES.values() if m.name], ids=str)


@every_module
def test_every_module_has_a_layer(module):
    assert module.part in LAYER_OF, f"give {module.part} a layer here and in docs/architecture.md"


@every_module
def test_imports_are_absolute(module):
    assert not [name for name in module.imports if name.startswith(".")]


@every_module
def test_imports_go_down_only(module):
    above = {n for n in module.neighbours if LAYER_OF[n.split(".")[0]] > LAYER_OF[module.part]}
    assert not above, f"{module} is below {sorted(above)}"


def test_parts_of_the_tree_do_not_import_each_other_in_a_circle():
    uses = {part: set() for part in LAYER_OF}
    for module in MODULES.values():
        if module.name:
            uses[module.part] |= {n.split(".")[0] for n in module.neighbours} - {module.part}
    while leaves := {part for part, below in uses.items() if not below & uses.keys()}:
        uses = {part: below for part, below in uses.items() if part not in leaves}
    assert not uses, f"a circle runs through {sorted(uses)}"


@every_module
def test_ros_is_spoken_in_nodes_monitor_and_stack_only(module):
    spoken = {top for top in _tops(module) if ROS_IMPORT.match(top)}
    assert not spoken or module.part in SPEAKS_ROS, f"{module} imports {sorted(spoken)}"


@pytest.mark.parametrize("module", [m for m in MODULES.values() if m.part == "planners"], ids=str)
def test_planners_know_neither_tasks_nor_models(module):
    assert not {n for n in _reachable(module) if n.split(".")[0] in ("tasks", "dynamics")}


def test_nodes_meet_on_topics_and_never_import_each_other():
    nodes = {m.name for m in MODULES.values() if m.is_node}
    for module in MODULES.values():
        if module.part == "nodes":
            assert not (module.neighbours & nodes) - {module.name}, f"{module} imports another node"


@pytest.mark.parametrize("start", [n for n in MODULES if n.startswith(WITHOUT_TORCH)])
def test_what_guards_the_robot_stays_clear_of_torch(start):
    with_torch = {n for n in _reachable(MODULES[start]) if "torch" in _tops(MODULES[n])}
    assert not with_torch, f"{start} reaches torch through {sorted(with_torch)}"


@every_module
def test_module_names_say_what_is_inside(module):
    assert not VAGUE_NAMES & set(module.name.split("."))


@pytest.mark.parametrize("package", [m for m in MODULES.values() if m.path.name == "__init__.py"], ids=str)
def test_a_package_may_list_what_it_holds_but_re_exports_nothing(package):
    brought = {name.split(".")[-1] for name in package.imports if not name.startswith("__future__")}
    used = {node.id for node in ast.walk(package.tree) if isinstance(node, ast.Name)}
    assert brought <= used - {"__all__"}


@pytest.mark.parametrize("path", PYTHON_FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_is_one_idea(path):
    lines = len(path.read_text().splitlines())
    assert lines < MOST_LINES


def test_no_joint_of_any_robot_is_named_in_python():
    robots = [yaml.safe_load(p.read_text()) for p in sorted((ROOT / "config" / "robots").glob("*.yaml"))]
    joints = {joint["name"] for robot in robots for joint in robot["joints"]}
    assert joints
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, sorted(joints))) + r")\b")
    named = {m.name: found for m in MODULES.values() if (found := pattern.findall(m.path.read_text()))}
    assert not named


def test_the_tree_in_the_documentation_lists_every_module_and_no_other():
    text = (ROOT / "docs" / "architecture.md").read_text()
    listed = re.findall(r"^(?:L\d  |    )([\w/]+\.py) ", text, re.MULTILINE)
    there = [str(m.path.relative_to(ROOT / PACKAGE)) for m in MODULES.values() if m.path.name != "__init__.py"]
    assert sorted(listed) == sorted(there), "docs/architecture.md has one line a module"


def test_the_reader_of_imports_sees_what_it_should():
    """Were it blind, every rule above would hold."""
    assert "types" in MODULES["robots.spec"].neighbours
    assert "numpy" in _tops(MODULES["robots.spec"])
    assert {"config", "paths"} <= _reachable(MODULES["robots.spec"])
    assert ROS_IMPORT.match("sensor_msgs") and ROS_IMPORT.match("std_srvs") and not ROS_IMPORT.match("mbrl_ros")


def test_no_two_test_files_share_a_name():
    """Without packages, pytest knows them by their names alone."""
    names = Counter(path.name for path in (ROOT / "test").rglob("test_*.py"))
    assert not [name for name, count in names.items() if count > 1]
