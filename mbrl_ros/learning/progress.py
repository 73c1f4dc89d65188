"""How far learning has come, as bytes: what a restarted learner needs beside its data and versions to go on from there.

Safetensors, so nothing is unpickled: the candidate as any model, where it outlives a round, the optimiser's memory, and
numbers in the header.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from mbrl_ros.config import build
from mbrl_ros.dynamics.ensemble import Ensemble
from mbrl_ros.dynamics.storage import Card, ModelRefused, from_bytes, read_header, to_bytes
from mbrl_ros.robots.features import FeatureLayout

CANDIDATE, OPTIMISER, NUMBERS = "candidate", "optimiser.", "progress"


@dataclass(frozen=True)
class Counts:
    version: int
    start_ns: int  # the newest transition that it has seen: its planner's start,
    sequence: int  # and its number
    seconds: float  # of data behind it, those of earlier runs too
    since_training: int  # transitions
    rounds: int


@dataclass(frozen=True, eq=False)
class Progress:
    counts: Counts
    candidate: Ensemble | None  # None: it is fitted anew
    optimiser: dict[str, Tensor]  # as Trainer.optimiser_state gives it
    generator: dict  # state of the random numbers that choose batches


def progress_bytes(progress: Progress, layout: FeatureLayout) -> bytes:
    counts = progress.counts
    card = Card(layout.spec.name, layout.spec.layout_hash, counts.version, counts.seconds, 0.0, 0.0)
    tensors = {OPTIMISER + name: value.contiguous() for name, value in progress.optimiser.items()}
    if progress.candidate is not None:
        content = bytearray(to_bytes(progress.candidate, card))
        tensors[CANDIDATE] = torch.frombuffer(content, dtype=torch.uint8)
    numbers = json.dumps({"counts": asdict(counts), "generator": progress.generator})
    return save_tensors(tensors, {NUMBERS: numbers})


def progress_of(content: bytes, layout: FeatureLayout) -> Progress:
    """ModelRefused where it is damaged or of another robot."""
    header = read_header(content)
    try:
        numbers = json.loads(header[NUMBERS])
        counts, generator = build(Counts, numbers["counts"], "counts"), dict(numbers["generator"])
        tensors = load_tensors(content)
        content = tensors.pop(CANDIDATE, None)
        candidate = None if content is None else from_bytes(bytes(content.numpy()), layout)[0]
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ModelRefused(f"the progress of learning is damaged: {error}") from error
    return Progress(counts, candidate, {n.removeprefix(OPTIMISER): t for n, t in tensors.items()}, generator)
