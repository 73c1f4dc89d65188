"""What a model has learned from, in a file beside it, so that learning on forgets nothing.

A learner that goes on from a model alone knows only what the robot does from then on: after a minute of walking ahead
the model is better at that, and worse at everything else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from mbrl_ros.config import ConfigError
from mbrl_ros.data.replay import ReplayBuffer

FILE = "keepsake.safetensors"
MEND = "delete it to learn on without"
MOST = 3000  # transitions: a minute at 50 Hz, 1 MB for twelve joints


def to_bytes(buffer: ReplayBuffer, layout_hash: str) -> bytes:
    """Pieces of all that is in the buffer."""
    return save(buffer.pieces(MOST), {"layout": layout_hash})


def beside(model: Path, layout_hash: str, states: int, actions: int) -> dict[str, np.ndarray] | None:
    """What lies beside a model's file, as ReplayBuffer.begin_with takes it; None where nothing does."""
    path = model.with_name(FILE)
    if not path.is_file():
        return None
    try:
        with safe_open(path, "numpy") as file:
            layout = (file.metadata() or {}).get("layout")
            found = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError, TypeError, AttributeError) as error:  # the last two: of types that numpy lacks
        raise ConfigError(f"{path} cannot be read: {error}; {MEND}") from error
    if layout != layout_hash:
        raise ConfigError(f"{path} is of another robot (layout {layout}, not {layout_hash}); {MEND}")
    count = found["run"].size if "run" in found else 0
    expected = {
        "states": (np.float32, (count, states)),
        "actions": (np.float32, (count, actions)),
        "next": (np.float32, (count, states)),
        "run": (np.int64, (count,)),
        "sequence": (np.int64, (count,)),
    }
    if {name: (column.dtype.type, column.shape) for name, column in found.items()} != expected:
        raise ConfigError(f"{path} does not hold transitions of this robot; {MEND}")
    if not all(np.isfinite(column).all() for column in found.values()):
        raise ConfigError(f"{path} has values that are not finite; {MEND}")
    run = found["run"]
    if not ((run >= 1).all() and (run[:1] == 1).all() and (np.diff(run) <= 1).all()):
        raise ConfigError(f"{path} says that transitions follow each other which cannot; {MEND}")
    return found
