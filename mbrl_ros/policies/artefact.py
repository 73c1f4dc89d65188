"""A policy as one ONNX file: the network with its normalisation and bounds as graph, its card as metadata.

Inputs `seen` (1, I) and `prior` (1, U), output `decisions` (1, U), all float32. The action map that makes joint targets
of decisions is named in the card; it is the robot's own, as for plans.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from onnx import TensorProto, checker, helper, numpy_helper
from torch import Tensor

from mbrl_ros.policies.card import CARD, PolicyCard
from mbrl_ros.policies.network import Policy

OPSET, IR_VERSION = 17, 8  # of ONNX: all that is needed, and what runtimes of the last years know


@torch.no_grad()
def to_bytes(policy: Policy, card: PolicyCard, example: tuple[Tensor, Tensor]) -> bytes:
    """`example`: something seen (I,) and its prior (U,), kept with the answer as the golden pair of the card."""
    seen, prior = example
    decisions = policy.decide(seen[None], prior[None])[0]
    golden = {"seen": seen, "prior": prior, "decisions": decisions}
    card = replace(card, **{f"golden_{name}": tuple(float(v) for v in values) for name, values in golden.items()})
    graph = Graph()
    h = graph.add("Div", graph.add("Sub", "seen", graph.constant(policy.mean)), graph.constant(policy.std))
    last = len(policy.weights) - 1
    for i, (weight, bias) in enumerate(zip(policy.weights, policy.biases, strict=True)):
        h = graph.add("Gemm", h, graph.constant(weight), graph.constant(bias))
        if i < last:
            h = graph.add("Elu", h)
    low, high = policy.bounds
    wish = graph.add("Add", h, "prior")
    graph.add("Min", graph.add("Max", wish, graph.constant(low)), graph.constant(high), out="decisions")
    inputs = [_value("seen", len(seen)), _value("prior", len(prior))]
    made = helper.make_model(
        helper.make_graph(graph.nodes, "policy", inputs, [_value("decisions", len(prior))], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="mbrl_ros",
    )
    helper.set_model_props(made, {CARD: card.to_json()})
    checker.check_model(made, full_check=True)
    return made.SerializeToString()


def _value(name: str, size: int):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size])


class Graph:
    """Nodes and constants, put together by name."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, values: Tensor) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values.detach().numpy(), np.float32), name))
        return name

    def add(self, kind: str, *inputs: str, out: str | None = None) -> str:
        name = out or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name]))
        return name
