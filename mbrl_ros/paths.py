"""Where the robot files, run files, scenes and weights lie: in the source tree, or in share/ of an installation.

And whether what is to come of a run can be written where somebody wants it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from mbrl_ros.config import ConfigError

PARAMETERS = "parameters.yaml"  # in the folder of a start: every setting of it
POLICY = "policy.onnx"  # beside the model that it was distilled from

_PACKAGE = Path(__file__).resolve().parent


def share() -> Path:
    """The folder that holds config/, sim/, models/ and launch/."""
    if (_PACKAGE.parent / "config" / "robots").is_dir():
        return _PACKAGE.parent
    for parent in _PACKAGE.parents:
        if (parent / "share" / "mbrl_ros" / "config").is_dir():
            return parent / "share" / "mbrl_ros"
    raise FileNotFoundError(
        f"no share/mbrl_ros/config above {_PACKAGE}: reinstall with `pip install .` or `colcon build`"
    )


def named(folder: str, asked: str, suffix: str) -> Path:
    """share()/folder/<asked><suffix>, or `asked` where it is a path to a file; else an error lists what is there."""
    if Path(asked).is_file():
        return Path(asked)
    place, name = share() / folder, asked.removesuffix(suffix)
    path = place / f"{name}{suffix}"
    if path.is_file():
        return path
    if "/" in name:
        raise FileNotFoundError(f"no such file: {asked}")
    known = ", ".join(sorted(p.name.removesuffix(suffix) for p in place.glob(f"*{suffix}"))) or "none"
    raise FileNotFoundError(f"no {folder}/{name}{suffix}. Known: {known}. A path to a file works too.")


def model_file(model: str, run: str) -> Path | None:
    """Where the weights of a run's `model` setting lie (pretrained, scratch, a folder or a file); None for scratch."""
    if model == "scratch":
        return None
    path = share() / "models" / run if model == "pretrained" else Path(model).absolute()
    path = path if path.is_file() else path / "model.safetensors"
    if path.is_file():
        return path
    if model == "pretrained":
        raise FileNotFoundError(
            f"no pretrained model for {run}: start with --model scratch, or make one with "
            f"`mbrl train {run} --out models/{run}`"
        )
    raise FileNotFoundError(f"no model at {path}: give a folder with model.safetensors, pretrained, or scratch")


def check_report(path: Path | None) -> None:
    """ConfigError where no report could be written to `path`: to be said before the work, not after it.

    It is JSON, and what comes beside it has its name with another ending: a .png or .md would be written over it.
    """
    check_file("--report", path, "report.json")
    if path is not None and path.suffix != ".json":
        raise ConfigError(f"--report {path}: it is JSON, so its name ends so: --report {path.with_suffix('.json')}")


def check_file(option: str, path: Path | None, example: str) -> None:
    """ConfigError where no file could be written to `path`; `example`: a name for one."""
    if path is None:
        return
    if path.is_dir():
        raise ConfigError(f"{option} {path}: that is a folder. Name a file in it: {option} {path / example}")
    if path.absolute().parent.is_dir():
        _try(option, path, lambda: _open_and_leave(path))
    else:
        _check_folder(option, path, path.absolute().parent)


def check_out(folder: Path | None) -> None:
    """ConfigError where nothing could be written into `folder`; it may still have to be made."""
    if folder is not None:
        _check_folder("--out", folder, folder.absolute())


def _check_folder(option: str, asked: Path, folder: Path) -> None:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise ConfigError(f"{option} {asked}: {there} is a file, not a folder. Name another place, or move it away")
    _try(option, asked, lambda: tempfile.TemporaryFile(dir=there).close())


def _open_and_leave(path: Path) -> None:
    """Opens it to write, and leaves it as it was: there or not, unchanged."""
    was_there = path.exists()
    path.open("ab").close()
    if not was_there:
        path.unlink()


def _try(option: str, asked: Path, write: Callable[[], None]) -> None:
    """Rights alone do not say it: /proc looks writable to root."""
    try:
        write()
    except OSError as error:
        raise ConfigError(
            f"{option} {asked}: cannot be written there: {error.strerror}. Name another place, or change its rights"
        ) from error
