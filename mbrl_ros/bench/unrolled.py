"""The rollout as one ONNX Runtime session, all steps unrolled with the weights inside: float32, new at every model."""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper
from torch import Tensor

from mbrl_ros.dynamics.ensemble import Ensemble
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.policies.artefact import Graph

OPSET, IR_VERSION = 21, 10  # of ONNX; what runtimes of the last years know


class UnrolledEnsemble:
    """Same `rollout` as Ensemble, for one shape. Without `activations` it is nothing but its matmuls."""

    def __init__(self, model: Ensemble, rows: int, horizon: int, threads: int, activations: bool = True):
        graph = _Graph()
        for member in range(model.members):
            graph.add_member(FoldedEnsemble(model), member, rows, horizon, activations)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.force_spinning_stop", "1")  # else its threads spin between calls
        self._session = onnxruntime.InferenceSession(graph.serialised(), options, providers=["CPUExecutionProvider"])

    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """States (E, B, S) and targets (E, B, H, A) in physical units -> the states that follow (E, B, H, S)."""
        members, rows, horizon, size = actions.shape
        x = states.expand(members, rows, -1).contiguous().numpy()
        a = actions.transpose(1, 2).reshape(members, horizon * rows, size).numpy()
        out = self._session.run(None, {f"x{m}": x[m] for m in range(members)} | {f"a{m}": a[m] for m in range(members)})
        return torch.from_numpy(np.stack(out)).view(members, horizon, rows, -1).transpose(1, 2)


class _Graph(Graph):
    def __init__(self):
        super().__init__()
        self._inputs, self._outputs = [], []

    def add_member(self, folded: FoldedEnsemble, member: int, rows: int, horizon: int, activations: bool) -> None:
        weights, biases = [w[member] for w in folded.weights], [b[member, 0] for b in folded.biases]
        states = weights[-1].shape[1]
        x = self._input(f"x{member}", rows, states)
        targets = self._input(f"a{member}", horizon * rows, weights[0].shape[0] - states)
        told = self.add("Gemm", targets, self._kept(weights[0][states:]), self._kept(biases[0]))
        first = [f"{told}_{step}" for step in range(horizon)]  # what targets add to the first layer, all steps at once
        self.nodes.append(helper.make_node("Split", [told], first, axis=0, num_outputs=horizon))
        inner = self._kept(weights[0][:states])
        later = [(self._kept(w), self._kept(b)) for w, b in zip(weights[1:], biases[1:], strict=True)]
        for step in range(horizon):
            h = self.add("Gemm", x, inner, first[step])
            for weight, bias in later:
                if activations:
                    h = self.add("Mul", h, self.add("Sigmoid", h))
                h = self.add("Gemm", h, weight, bias)
            x = self.add("Add", x, h)
            self._outputs.append(helper.make_tensor_value_info(x, TensorProto.FLOAT, [rows, states]))

    def serialised(self) -> bytes:
        graph = helper.make_graph(self.nodes, "rollout", self._inputs, self._outputs, self.constants)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()

    def _kept(self, values: Tensor) -> str:
        return self.constant(f"c{len(self.constants)}", values)

    def _input(self, name: str, *shape: int) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return name
