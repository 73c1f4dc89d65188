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

FILE = "memory.safetensors"
MEND = "delete it to learn on without"
MOST = 3000  # transitions: a minute at 50 Hz, 1 MB for twelve joints


def to_bytes(buffer: ReplayBuffer, layout_hash: str) -> bytes:
    """The newest of what is in the buffer."""
    return save(buffer.newest(MOST), {"layout": layout_hash})


def beside(model: Path, layout_hash: str, states: int, actions: int) -> dict[str, np.ndarray] | None:
    """What lies beside a model's file, as ReplayBuffer.remember takes it; None where nothing does."""
    path = model.with_name(FILE)
    if not path.is_file():
        return None
    try:
        with safe_open(path, "numpy") as file:
            layout = (file.metadata() or {}).get("layout")
            found = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"{path} cannot be read: {error}; {MEND}") from error
    if layout != layout_hash:
        raise ConfigError(f"{path} is of another robot (layout {layout}, not {layout_hash}); {MEND}")
    shapes = {"states": (states,), "actions": (actions,), "next": (states,), "run": (), "sequence": ()}
    count = len(found.get("states", ()))
    if {name: column.shape for name, column in found.items()} != {n: (count, *s) for n, s in shapes.items()}:
        raise ConfigError(f"{path} is not a memory: it has {', '.join(found)}; {MEND}")
    if not all(np.isfinite(column).all() for column in found.values()):
        raise ConfigError(f"{path} has values that are not finite; {MEND}")
    return found
