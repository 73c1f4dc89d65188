"""Finding what is compiled from C: libraries without Python in them, which lie beside the module that calls them."""

from __future__ import annotations

import ctypes
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from mbrl_ros.config import ConfigError


class NotCompiled(ConfigError):
    """The message says why, and what makes it."""


def library(folder: Path, name: str, revision: int) -> ctypes.CDLL:
    """_`name` in `folder`, as made from `name`.c of that revision."""
    found = [path for suffix in EXTENSION_SUFFIXES if (path := folder / f"_{name}{suffix}").is_file()]
    if not found:
        raise NotCompiled(
            f"{folder} has no compiled {name}.c; with a C compiler there, in a checkout `make clean setup` makes it"
        )
    try:
        loaded = ctypes.CDLL(str(found[0]))
        theirs = getattr(loaded, f"{name}_revision")()
    except (OSError, AttributeError) as error:
        raise NotCompiled(f"{found[0]} does not load: {error}; `make clean setup` makes it anew") from error
    if theirs != revision:
        raise NotCompiled(f"{found[0]} is of another version ({theirs}, not {revision}); `make setup` makes it anew")
    return loaded
