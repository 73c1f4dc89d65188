"""What may lie in a learner's folder when it starts again: a damaged model, or one that looks right and is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mbrl_ros.learning.version_files import VersionFiles

FACTOR = 3.0  # by which every weight of a poisoned model is too large


def version_files(folder: Path) -> VersionFiles:
    return VersionFiles(folder, "version", ".safetensors")


def damage_newest_version(folder: Path, first: Path) -> int:
    """A version newer than all is cut off in the middle, as no crash of ours leaves it, but a disk might."""
    return _save(folder, first, lambda content, version: content[: len(content) // 2])


def poison_newest_version(folder: Path, first: Path) -> int:
    """A version newer than all, with a card that says nothing wrong, and weights three times what they should be."""
    return _save(folder, first, poisoned)


def _save(folder: Path, first: Path, made: Callable[[bytes, int], bytes]) -> int:
    """Beside the versions in `folder`, from the newest or else from `first`, with which the run began; its number."""
    files = version_files(folder)
    content = next((found for found in files.newest_first() if _is_whole(found)), None) or first.read_bytes()
    version = max(files.highest(), card_of(content)["version"]) + 1
    files.save(version, made(content, version))
    return version


def _is_whole(content: bytes) -> bool:
    header, data = _header(content)
    return len(data) == max(tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__")


def card_of(content: bytes) -> dict:
    return json.loads(_header(content)[0]["__metadata__"]["card"])


def _header(content: bytes) -> tuple[dict, bytes]:
    """Of safetensors bytes, and what comes after it."""
    size = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def poisoned(content: bytes, version: int) -> bytes:
    """The safetensors file with its weights scaled and its card renumbered; all else as it was."""
    header, data = _header(content)
    data = bytearray(data)
    for name, tensor in header.items():
        if name.startswith("weight."):
            begin, end = tensor["data_offsets"]
            values = np.frombuffer(data, np.float32, (end - begin) // 4, begin) * np.float32(FACTOR)
            data[begin:end] = values.astype(np.float32).tobytes()
    header["__metadata__"]["card"] = json.dumps({**card_of(content), "version": version})
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(data)
