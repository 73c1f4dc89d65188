"""A policy as one ONNX file: the networks with their normalisation and bounds as graph, its card as metadata.

Inputs `seen` (1, I) and `prior` (1, U), outputs `decisions` (1, U) and `value` (1, 1), all float32. The action map that
makes joint targets of decisions is named in the card; it is the robot's own, as for plans. Whoever plans with the
policy gets the networks back from the file, since a plan asks them about hundreds of states at once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import TensorProto, checker, helper, numpy_helper
from torch import Tensor

from mbrl_ros.policies.card import CARD, PolicyCard, PolicyRefused
from mbrl_ros.policies.network import Policy, Value

OPSET, IR_VERSION = 17, 8  # of ONNX: all that is needed, and what runtimes of the last years know
OPERATIONS = frozenset(("Add", "Div", "Elu", "Gemm", "Max", "Min", "Mul", "Sub"))  # what `to_bytes` makes use of
MOST_NODES, MOST_WIDTH = 200, 4096


@torch.no_grad()
def to_bytes(policy: Policy, value: Value, card: PolicyCard, example: tuple[Tensor, Tensor]) -> bytes:
    """`example`: something seen (I,) and its prior (U,), kept with the answers as the golden pair of the card."""
    seen, prior = example
    decisions, worth = policy.decide(seen[None], prior[None])[0], value.worth(seen[None])
    golden = {"seen": seen, "prior": prior, "decisions": decisions}
    golden = {f"golden_{name}": tuple(float(v) for v in values) for name, values in golden.items()}
    card = replace(card, **golden, golden_value=float(worth))
    graph = Graph()
    normal = graph.add(
        "Div", graph.add("Sub", "seen", graph.constant("mean", policy.mean)), graph.constant("std", policy.std)
    )
    wish = graph.add("Add", graph.layers("policy", policy, normal), "prior")
    low, high = (graph.constant(*edge) for edge in zip(("low", "high"), policy.bounds, strict=True))
    graph.add("Min", graph.add("Max", wish, low), high, out="decisions")
    scaled = graph.add("Mul", graph.layers("value", value, normal), graph.constant("scale", value.scale))
    graph.add("Add", scaled, graph.constant("offset", value.offset), out="value")
    inputs = [_value("seen", len(seen)), _value("prior", len(prior))]
    outputs = [_value("decisions", len(prior)), _value("value", 1)]
    made = helper.make_model(
        helper.make_graph(graph.nodes, "policy", inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="mbrl_ros",
    )
    helper.set_model_props(made, {CARD: card.to_json()})
    checker.check_model(made, full_check=True)
    return made.SerializeToString()


def check_graph(content: bytes) -> None:
    """PolicyRefused where it is more than networks: a runtime would run loops without end, and open other files."""
    try:
        made = onnx.load_from_string(content)
    except DecodeError as error:
        raise PolicyRefused(f"not a policy that this onnxruntime can load: {error}") from error
    graph, whose = made.graph, "not a policy file of this project"
    if any(c.data_location == TensorProto.EXTERNAL for c in graph.initializer):
        raise PolicyRefused(f"{whose}: its weights lie in another file")
    if other := {node.op_type for node in graph.node if node.domain or node.op_type not in OPERATIONS}:
        raise PolicyRefused(f"{whose}: it computes {', '.join(sorted(map(str, other)))}")
    if len(graph.node) > MOST_NODES or made.functions or graph.sparse_initializer:
        raise PolicyRefused(f"{whose}: it is more than layers of two networks")
    if any(len(c.dims) > 2 or not all(0 <= size <= MOST_WIDTH for size in c.dims) for c in graph.initializer):
        raise PolicyRefused(f"{whose}: weights in more than two dimensions, or more than {MOST_WIDTH} wide")


def networks(content: bytes) -> tuple[Policy, Value]:
    """What is in the bytes of a policy's file, which a runtime has loaded already."""
    constants = onnx.load_from_string(content).graph.initializer

    def layers(of: str) -> tuple[tuple[Tensor, ...], ...]:
        count = sum(name.startswith(f"{of}.weight") for name in found)
        return tuple(tuple(found[f"{of}.{kind}{i}"] for i in range(count)) for kind in ("weight", "bias"))

    try:
        found = {c.name: torch.from_numpy(numpy_helper.to_array(c).copy()) for c in constants}
        mean, std = found["mean"], found["std"]
        policy = Policy(*layers("policy"), mean, std, torch.stack([found["low"], found["high"]]))
        value = Value(*layers("value"), mean, std, found["offset"], found["scale"])
    except KeyError as missing:
        raise PolicyRefused(f"not a policy file of this project: it has no {missing}") from missing
    except (RuntimeError, TypeError, ValueError) as error:
        raise PolicyRefused(f"not a policy file of this project: {error}") from error
    for name, network in (("policy", policy), ("value", value)):
        if not network.weights:
            raise PolicyRefused(f"not a policy file of this project: it has no {name}.weight0")
    return policy, value


def opset(content: bytes) -> int:
    """Of ONNX, that a runtime must know."""
    return max((entry.version for entry in onnx.load_from_string(content).opset_import), default=0)


def _value(name: str, size: int):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])


class Graph:
    """Nodes and constants, put together by name."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name: str, values: Tensor) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values.detach().numpy(), np.float32), name))
        return name

    def add(self, kind: str, *inputs: str, out: str | None = None) -> str:
        name = out or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name]))
        return name

    def layers(self, name: str, network: Policy | Value, h: str) -> str:
        last = len(network.weights) - 1
        for i, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
            h = self.add("Gemm", h, self.constant(f"{name}.weight{i}", weight), self.constant(f"{name}.bias{i}", bias))
            if i < last:
                h = self.add("Elu", h)
        return h
