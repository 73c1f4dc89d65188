"""Which processes a run has: the one description that `mbrl up` and the launch files read. No torch, no ROS."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from mbrl_ros.authentic import key_path, read_key
from mbrl_ros.config import ConfigError
from mbrl_ros.kind_settings import learned_members
from mbrl_ros.paths import PARAMETERS, model_file
from mbrl_ros.robots.fit import (
    check_device,
    check_distilling,
    check_gait,
    check_goes_on,
    check_kind,
    check_members,
    check_model,
    check_policy,
    check_primitives,
    check_turn,
    check_walks,
)
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import RunConfig, with_settings, write_parameters
from mbrl_ros.settings import DRIVING_MODES

PACKAGE = "mbrl_ros"
BACK_OFF = (1.0, 2.0, 4.0)  # s before the first, second and third restart
NEVER: tuple[float, ...] = ()


@dataclass(frozen=True)
class Options:
    """What a start may say beyond the run file. None: as the file says."""

    model: str | None = None  # pretrained, scratch, or a folder
    mode: str | None = None
    seed: int | None = None
    lockstep: bool = False
    hardware: bool = False  # a driver of a real robot runs elsewhere: no bridge
    learner: bool = True
    namespace: str = ""
    settings: tuple[str, ...] = ()  # as in --set: planner.mppi.samples=200

    def __post_init__(self):
        if not re.fullmatch(r"(/?[A-Za-z_]\w*)*/?", self.namespace):
            raise ConfigError(f"namespace {self.namespace!r}: letters, digits and _ only, parts separated by /")


@dataclass(frozen=True)
class Process:
    """One process of a run: `python -m mbrl_ros.nodes.<name>`, or `ros2 run mbrl_ros <name>`."""

    name: str  # of the node, its module below mbrl_ros/nodes and its executable
    namespace: str = "/"
    parameters: Path | None = None  # the normalised file that all nodes share
    arguments: tuple[str, ...] = ()  # before --ros-args
    environment: tuple[tuple[str, str], ...] = ()
    nice: int = 0
    restart_after: tuple[float, ...] = NEVER  # s to wait before each restart; after the last one it stays dead

    @property
    def module(self) -> str:
        return f"{PACKAGE}.nodes.{self.name}"

    @property
    def command(self) -> list[str]:
        """What starts it, on any installation."""
        parameters = ["--params-file", str(self.parameters)] if self.parameters else []
        place = ["-r", f"__ns:={self.namespace}", "--enclave", self.enclave]
        return [sys.executable, "-m", self.module, *self.arguments, "--ros-args", *parameters, *place]

    @property
    def enclave(self) -> str:
        """Whose rights it has where SROS2 is on (docs/security.md); where it is not, this changes nothing."""
        return enclave(self.namespace, self.name)


def configured(run: RunConfig, options: Options) -> RunConfig:
    """`run` with what the options say; what cannot work is an error here, before anything starts."""
    run = with_settings(run, options.settings)
    asked = {
        "planner.model": options.model,
        "learner.model": options.model,
        "planner.mode": options.mode,
        "seed": options.seed,
        "lockstep": options.lockstep or None,
        "guard.hardware": options.hardware or None,
        "planner.learning": None if options.learner else False,
    }
    for name, value in asked.items():
        if value is not None:
            run = run.with_setting(name, value)
    for node in ("planner", "learner"):
        run = run.with_setting(f"{node}.model", _model(getattr(run, node).model, run))
    if run.planner.policy:
        run = run.with_setting("planner.policy", str(Path(run.planner.policy).absolute()))
    if key_file := key_path(run.planner.key_file):
        run = run.with_setting("key_file", str(Path(key_file).absolute()))
        read_key(key_file)
    if not run.learner.folder:
        run = run.with_setting("learner.folder", str(_fresh_folder(run, options)))
    _check_fit(run, options)
    return run


def written_down(run: RunConfig) -> Path:
    """The parameter file that all its processes read, in the folder of this start.

    It outlives the run: a process that is started by hand reads it too, and it says what was flown.
    """
    folder = Path(run.learner.folder).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return write_parameters(run, folder / PARAMETERS)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}. Start elsewhere, or --set learner.folder=...") from error


def processes(run: RunConfig, options: Options, parameters: Path) -> tuple[Process, ...]:
    """The processes of a configured run, in the order in which they start: the robot first, who drives it last."""
    namespace = normalised_namespace(options.namespace)

    def process(name: str, threads: int = 1, **more) -> Process:
        # Math libraries would start a thread a core each, and their spinning would stall control.
        limits = tuple((f"{library}_NUM_THREADS", str(threads)) for library in ("OMP", "OPENBLAS", "MKL"))
        return Process(name, namespace, parameters, environment=limits, **more)

    found = []
    if not options.hardware:
        found.append(process("bridge"))
    if run.planner.mode != "observe":  # there, somebody else drives the robot
        found.append(process("guard"))
    if run.planner.learning:
        found.append(process("learner", threads=run.learner.threads, nice=run.learner.nice, restart_after=BACK_OFF))
    found.append(process("planner", threads=run.planner.threads, restart_after=BACK_OFF))
    return tuple(found)


def normalised_namespace(namespace: str) -> str:
    return "/" + namespace.strip("/")


def enclave(namespace: str, process: str) -> str:
    """The SROS2 enclave of a process: /mbrl_ros, the robot's namespace, its name."""
    return "/" + "/".join(filter(None, (PACKAGE, namespace.strip("/"), process)))


def beside(neighbour: Process, name: str, *arguments: str) -> Process:
    """A process that joins the graph of `neighbour` without being part of the robot: judge, commander."""
    return dataclasses.replace(
        neighbour, name=name, arguments=tuple(arguments), nice=0, restart_after=NEVER, parameters=None
    )


def _check_fit(run: RunConfig, options: Options) -> None:
    planner, spec = run.planner, load_robot(run.planner.robot)
    if planner.action_map == "gait":
        check_gait(spec)
    if planner.action_map == "primitive":
        check_primitives(spec)
    if planner.task == "quadruped":
        check_walks(spec)
    if planner.lockstep and planner.mode == "observe":
        raise ConfigError(
            "lockstep waits for what the guard says, and in mode observe none runs. Leave one of them out"
        )
    if planner.learning and planner.model == "scratch":
        check_members(planner, learned_members(run.learner))
    check_distilling(run.learner)
    check_turn(run.learner, spec)
    if not options.hardware and spec.scene and not spec.scene_path.is_file():
        raise ConfigError(f"robot {spec.name}: no scene {spec.scene_path}")
    if planner.learning:
        check_kind(run.learner, spec)
        check_device(planner, run.learner)
    for model in {planner.model, run.learner.model} - {"scratch"}:
        kind = check_model(Path(model), spec)
        if planner.learning and model == run.learner.model:
            check_goes_on(run.learner, kind)
    if planner.mode != "observe":
        check_policy(planner, run.name)


def _model(model: str, run: RunConfig) -> str:
    """'scratch', or the file of weights: a node knows no name of its run."""
    try:
        file = model_file(model, run.name)
    except FileNotFoundError:
        if model == "pretrained" and run.planner.mode not in DRIVING_MODES:
            return "scratch"  # nothing is planned through a model
        raise
    return "scratch" if file is None else str(file)


def _fresh_folder(run: RunConfig, options: Options) -> Path:
    """One a start, so that a restarted learner finds what this run promoted and never what another did."""
    place = [part for part in options.namespace.split("/") if part]
    start = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"  # two may start within one second
    return Path("runs").absolute().joinpath(run.name, *place, start)
