"""What `pip install .` leaves in a clean prefix, seen from there and not from the source tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

pytest.importorskip("setuptools", reason="a wheel is built here with the setuptools at hand")
pytest.importorskip("pip")
from packaging.requirements import Requirement  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
COMPILER = shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0])
NODES = sorted(p.name for p in (ROOT / "scripts").iterdir())
SHARED = ("config", "launch", "models", "sim")
NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "build", "install", "log", "runs", "*.egg-info", "*.so")


@dataclass(frozen=True)
class Prefix:
    """A virtual environment with the wheel in it, and the dependencies of this one at the end of its path."""

    path: Path

    @property
    def share(self) -> Path:
        return self.path / "share" / "mbrl_ros"

    @property
    def packages(self) -> Path:
        return Path(sysconfig.get_path("platlib", "venv", {"platbase": str(self.path)}))

    def run(self, *command: str, **environment: str) -> str:
        """Standard output of a program of this prefix, started outside the source tree."""
        inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "AMENT_PREFIX_PATH")}
        on_path = f"{self.path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            command, cwd=self.path, env={**inherited, "PATH": on_path, **environment}, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def python(self, code: str, **environment: str) -> str:
        return self.run(str(self.path / "bin" / "python"), "-c", code, **environment)


def build_wheel(folder: Path, *options: str, **environment: str) -> subprocess.CompletedProcess:
    """A wheel of a copy of the source tree, into `folder`."""
    shutil.copytree(ROOT, folder / "source", ignore=NOT_SOURCE)
    build = [*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", *options, "-w", folder]
    done = subprocess.run(
        [*build, folder / "source"], env={**os.environ, **environment}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.rmtree(folder / "source")
    return done


@pytest.fixture(scope="module")
def prefix(tmp_path_factory) -> Prefix:
    folder = tmp_path_factory.mktemp("install")
    build_wheel(folder)
    (wheel,) = folder.glob("*.whl")

    found = Prefix(folder / "prefix")
    venv.create(found.path, with_pip=False, symlinks=True)
    target = found.path / "bin" / "python"
    install = [*PIP, "--quiet", "--python", target, "install", "--no-deps", "--no-index", wheel]
    subprocess.run(install, check=True)
    dependencies = [p for p in sys.path if Path(p).name in ("site-packages", "dist-packages")]
    (found.packages / "dependencies.pth").write_text("\n".join(dependencies) + "\n")
    return found


def files_below(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}


def modules_below(folder: Path) -> set[str]:
    return {name for name in files_below(folder) if name.endswith(".py")}


def test_every_module_of_the_source_tree_is_installed(prefix):
    assert modules_below(prefix.packages / "mbrl_ros") == modules_below(ROOT / "mbrl_ros")


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler here")
def test_what_is_in_c_comes_compiled_where_there_is_a_compiler(prefix):
    assert prefix.python("from mbrl_ros.dynamics.native import why_not; print(why_not('float32'))") == "None"
    assert prefix.python("from mbrl_ros.robots.gait_native import library; print(library() is None)") == "False"


def test_without_a_compiler_it_builds_all_the_same_and_says_what_is_slower(tmp_path):
    built = build_wheel(tmp_path, "--verbose", CC="/nowhere/cc")
    assert "Plans are computed by torch" in built.stdout + built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "mbrl_ros/dynamics/native.py" in names
    assert not [name for name in names if name.endswith(".so")]


@pytest.mark.parametrize("folder", SHARED)
def test_every_shared_file_is_installed(prefix, folder):
    assert files_below(prefix.share / folder) == files_below(ROOT / folder)


def test_the_installed_package_finds_its_files_in_its_own_prefix(prefix):
    found = prefix.python("from mbrl_ros.paths import share; print(share())")
    assert Path(found) == prefix.share


def test_runs_robots_and_scenes_load_from_the_installed_place(prefix):
    code = (
        "from mbrl_ros.runs import load_run; from mbrl_ros.robots.spec import load_robot\n"
        "print(load_robot(load_run('quadruped_mpc').planner.robot).scene_path)"
    )
    scene = Path(prefix.python(code))
    assert scene.is_file() and prefix.share in scene.parents


def test_mbrl_is_on_the_path_and_the_nodes_are_not(prefix):
    commands = {p.name for p in (prefix.path / "bin").iterdir()}
    assert "mbrl" in commands
    assert not commands & set(NODES)


def test_mbrl_starts(prefix):
    shown = prefix.run(str(prefix.path / "bin" / "mbrl"), "--help")
    for command in ("up", "train", "eval", "doctor"):
        assert command in shown


def test_ros_finds_the_package_by_its_marker(prefix):
    assert (prefix.path / "share/ament_index/resource_index/packages/mbrl_ros").is_file()
    assert (prefix.share / "package.xml").is_file()
    pytest.importorskip("ament_index_python")
    code = "from ament_index_python.packages import get_package_prefix; print(get_package_prefix('mbrl_ros'))"
    assert Path(prefix.python(code, AMENT_PREFIX_PATH=str(prefix.path))) == prefix.path


def test_the_nodes_are_executables_where_ros2_run_looks(prefix):
    executables = {p.name: p for p in (prefix.path / "lib" / "mbrl_ros").iterdir()}
    assert set(executables) == set(NODES)
    assert {"bridge", "planner", "learner", "guard"} <= set(NODES)
    for path in executables.values():
        assert os.access(path, os.X_OK)
        assert path.read_text().startswith("#!/usr/bin/env python3\n")


@pytest.mark.parametrize("node", NODES)
def test_each_executable_starts_the_node_of_its_name(prefix, node):
    pytest.importorskip("rclpy")
    text = (prefix.path / "lib" / "mbrl_ros" / node).read_text()
    assert f"from mbrl_ros.nodes.{node} import main\n" in text
    prefix.python(f"from mbrl_ros.nodes.{node} import main; assert callable(main)")


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("Linux", "x86_64", {"onnxruntime-gpu"}),
        ("Linux", "aarch64", {"onnxruntime"}),
        ("Darwin", "arm64", {"onnxruntime"}),
        ("Windows", "AMD64", {"onnxruntime"}),
    ],
)
def test_onnxruntime_comes_with_cuda_where_it_has_a_wheel_and_plain_elsewhere(prefix, system, machine, expected):
    (metadata,) = prefix.packages.glob("mbrl_ros-*.dist-info")
    needed = [Requirement(text) for text in PathDistribution(metadata).requires]
    here = {"platform_system": system, "platform_machine": machine, "extra": ""}
    chosen = {r.name for r in needed if r.name.startswith("onnxruntime") and r.marker.evaluate(here)}
    assert chosen == expected
