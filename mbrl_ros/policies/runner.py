"""A policy's file, loaded, checked and run by ONNX Runtime."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from mbrl_ros.content import content_hash
from mbrl_ros.policies.artefact import check_graph, networks
from mbrl_ros.policies.card import CARD, PolicyCard, PolicyRefused, check_fits
from mbrl_ros.policies.network import Policy, Value
from mbrl_ros.robots.features import FeatureLayout

DECISIONS, ANSWERS = ("decisions",), ("decisions", "value")
ONLY_THESE = onnxruntime.RunOptions()
ONLY_THESE.only_execute_path_to_fetches = True  # what the value takes is not computed with every decision
PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
WARM_UP, TIMED = 50, 1000  # runs before activation, and to choose a provider by
GOLDEN_TOLERANCE = 1e-4  # of a decision; providers round differently
MOST_BYTES, MOST_WORDS = 50_000_000, 1_000_000  # of a file, and of what it says about itself
BEYOND = 0.1  # of the range seen in training, on either side: further out is another robot, or another world


class OnnxPolicy:
    """Ready to decide: loaded from bytes, proven on its golden pair, warm; `hash` is of the bytes."""

    def __init__(self, content: bytes, layout: FeatureLayout, task: str, action_map: str, command_size: int):
        self._session, self.card = about(content)
        check_fits(self.card, layout, task, action_map, command_size)
        self.policy, self.value = prove(content, self._session, self.card)  # as a planner uses them
        self.hash = content_hash(content)
        self.provider = PROVIDERS[-1]
        self._choose_provider(content)
        low, high = np.array(self.card.lowest), np.array(self.card.highest)
        margin = BEYOND * (high - low) + 1e-3
        self._low, self._high = low - margin, high + margin

    def decide(self, seen: np.ndarray, prior: np.ndarray) -> np.ndarray:
        """Seen (I,) and prior (U,), float32 -> decisions (U,)."""
        return self._session.run(DECISIONS, {"seen": seen[None], "prior": prior[None]}, ONLY_THESE)[0][0]

    @property
    def guide(self) -> tuple[Policy, Value, float]:
        """What plans listen to: the networks, and the discount of what comes later."""
        return self.policy, self.value, self.card.discount

    def strange(self, seen: np.ndarray) -> np.ndarray:
        """Indices of inputs far out of what it was distilled on."""
        return np.flatnonzero(~((seen >= self._low) & (seen <= self._high)))

    def _choose_provider(self, content: bytes) -> None:
        """The fastest that is there and right, by trying."""
        best = timed(self._session, self.card)[0]
        there = onnxruntime.get_available_providers() if _has_gpu() else []
        for name in (p for p in PROVIDERS[:-1] if p in there):
            before = self._session
            try:
                self._session = _session(content, name)
                if name not in self._session.get_providers():
                    raise PolicyRefused(f"{name} did not load")
                _prove_session(self._session, self.card)
                took = timed(self._session, self.card)[0]
            except PolicyRefused:
                took = np.inf
            if took < best:
                best, self.provider = took, name
            else:
                self._session = before


def _has_gpu() -> bool:
    """A wheel lists what it was built for, and complains aloud where that is not there."""
    return any(Path("/dev").glob("nvidia[0-9]*")) or Path("/dev/nvhost-gpu").exists()


def about(content: bytes) -> tuple[onnxruntime.InferenceSession, PolicyCard]:
    """A session on the processor, and what the file says about itself; whom it fits is not asked."""
    if len(content) > MOST_BYTES:
        raise PolicyRefused(f"not a policy file: {len(content)} bytes")
    check_graph(content)
    session = _session(content, PROVIDERS[-1])
    return session, _card(session)


def prove(content: bytes, session: onnxruntime.InferenceSession, card: PolicyCard) -> tuple[Policy, Value]:
    """The networks in the file; PolicyRefused unless they and the session answer the golden input as the card says."""
    _prove_session(session, card)
    policy, value = networks(content)
    seen, prior = (torch.tensor([v], dtype=torch.float32) for v in (card.golden_seen, card.golden_prior))
    try:
        with torch.no_grad():
            answers = policy.decide(seen, prior).numpy(), value.worth(seen)[None].numpy()
    except (RuntimeError, IndexError) as error:  # shapes or kinds of numbers that do not go together
        raise PolicyRefused(f"policy {card.version} does not run: {error}", card.version) from error
    _check_answers(card, *answers)
    return policy, value


def _prove_session(session: onnxruntime.InferenceSession, card: PolicyCard) -> None:
    seen, prior = (np.array([v], np.float32) for v in (card.golden_seen, card.golden_prior))
    try:
        answers = session.run(ANSWERS, {"seen": seen, "prior": prior})
    except Exception as error:  # whatever onnxruntime raises: it has no common base but its own
        if not type(error).__module__.startswith("onnxruntime"):
            raise
        raise PolicyRefused(f"policy {card.version} does not run: {error}", card.version) from error
    _check_answers(card, *answers)


def _check_answers(card: PolicyCard, decisions: np.ndarray, worth: np.ndarray) -> None:
    wanted = np.array([card.golden_decisions], np.float32)
    right = decisions.shape == wanted.shape and np.allclose(decisions, wanted, atol=GOLDEN_TOLERANCE)
    if not (right and worth.size == 1 and np.allclose(worth, card.golden_value, rtol=1e-3, atol=1e-2)):
        raise PolicyRefused(f"policy {card.version} does not answer its golden input as it should", card.version)


def timed(session: onnxruntime.InferenceSession, card: PolicyCard) -> tuple[float, float]:
    """Microseconds of a decision, p50 and p99, once warm."""
    seen, prior = (np.array([v], np.float32) for v in (card.golden_seen, card.golden_prior))
    took = []
    for _ in range(WARM_UP + TIMED):
        began = time.perf_counter()
        session.run(DECISIONS, {"seen": seen, "prior": prior}, ONLY_THESE)
        took.append(1e6 * (time.perf_counter() - began))
    return tuple(float(us) for us in np.percentile(took[WARM_UP:], (50, 99)))


def _session(content: bytes, provider: str) -> onnxruntime.InferenceSession:
    """One thread: a decision is too small to share. PolicyRefused where this runtime cannot load it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(content, options, providers=[provider])
    except Exception as error:  # as above; of texts that are none, Python's own
        if not (type(error).__module__.startswith("onnxruntime") or isinstance(error, UnicodeDecodeError)):
            raise
        raise PolicyRefused(f"not a policy that this onnxruntime can load: {error}") from error


def _card(session: onnxruntime.InferenceSession) -> PolicyCard:
    metadata = session.get_modelmeta().custom_metadata_map
    if CARD not in metadata:
        raise PolicyRefused("not a policy file: it has no card; make one with `mbrl distill`")
    words = sum(map(len, metadata.values()))
    if words > MOST_WORDS:
        raise PolicyRefused(f"not a policy file: it says {words} letters about itself, {MOST_WORDS} at most")
    card = PolicyCard.from_json(metadata[CARD])
    sizes = {"seen": len(card.golden_seen), "prior": len(card.golden_prior)}
    shapes = {entry.name: entry.shape for entry in session.get_inputs()}
    if shapes != {name: [1, size] for name, size in sizes.items()}:
        raise PolicyRefused(f"policy {card.version} takes {shapes}, its card says {sizes}", card.version)
    answers = tuple(entry.name for entry in session.get_outputs())
    if answers != ANSWERS:
        raise PolicyRefused(f"policy {card.version} answers {answers}, not {ANSWERS}", card.version)
    return card
