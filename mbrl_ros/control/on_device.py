"""The search of a plan on the robot's GPU: noise, action map, rollout, reward and weights in one recorded graph.

Everything that a search needs lies there. For each plan one copy goes there and one comes back, and only the last is
waited for. Another model is copied into the place of the old one, another temperature goes along with the situation;
another number of rollouts is another graph, to be recorded before a tick needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Generator, Tensor

from mbrl_ros.config import ConfigError
from mbrl_ros.control.beyond import guidance
from mbrl_ros.control.scoring import Situation, make_problem
from mbrl_ros.dynamics.folded import FoldedRollout
from mbrl_ros.planners import mppi
from mbrl_ros.planners.knots import knot_weights
from mbrl_ros.robots.action_maps import make_action_map, told_size
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.settings import PlannerConfig
from mbrl_ros.tasks import make_task

WARM_UP = 3  # runs before a recording, in which libraries choose their ways


def check_device(device: str) -> None:
    """ConfigError where it is not there."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError("planner.device is cuda, but torch finds no GPU here: `mbrl doctor` says what it found")


def recorded_settings(config: PlannerConfig) -> tuple:
    """What a recording has in it; where any of it changes, make OnDevice anew."""
    free = {"samples": 0, "temperature": 0.0, "noise": 0.0, "polish": 0, "anytime": False, "budget": 0.0}
    return replace(config.mppi, **free), config.cost


class OnDevice:
    """`search` does there what mppi.search does here."""

    @torch.inference_mode()
    def __init__(self, config: PlannerConfig, spec: RobotSpec, model, device: str, policy=None):
        """`model` as planning runs it on the CPU: the weights are taken from it, and from `policy` (an OnnxPolicy)."""
        check_device(device)
        self._config, self._device = config, torch.device(device)
        self._gpu = self._device.type == "cuda"
        self._generator = Generator(self._device).manual_seed(config.seed)
        self._model = FoldedRollout(
            *([tensor.to(self._device, copy=True) for tensor in kind] for kind in (model.weights, model.biases))
        )
        layout, horizon = FeatureLayout(spec), config.mppi.horizon
        with self._device:  # whatever is made in here lies there
            self._map, self._task = make_action_map(config.action_map, spec), make_task(config.task, layout)
            sizes = layout.size, self._task.command_size, self._map.size, horizon, told_size(self._map)
            self._situation = Situation.empty(*sizes)
            self._guidance = guidance(*policy.guide, config.mppi, self._situation, spec.phase_step) if policy else ()
        self._between = knot_weights(horizon, config.mppi.knot_steps, self._device)  # recordings do not keep it alive
        self._answer = torch.zeros(horizon * self._map.size + mppi.NUMBERS, pin_memory=self._gpu)
        self._beside = (torch.cuda.Stream(), torch.cuda.graph_pool_handle()) if self._gpu else None
        self._recorded: dict[int, Callable[[], Tensor]] = {}

    @torch.inference_mode()
    def load(self, model) -> bool:
        """Search with another model from now on; whether it has the same shape, without which that cannot be."""
        mine = (*self._model.weights, *self._model.biases)
        new = (*getattr(model, "weights", ()), *getattr(model, "biases", ()))
        if [tensor.shape for tensor in mine] != [tensor.shape for tensor in new]:
            return False
        for own, tensor in zip(mine, new, strict=True):
            own.copy_(tensor)
        return True

    @torch.inference_mode()
    def record(self, samples: int) -> None:
        """Searches with so many rollouts; takes longer than a tick has."""
        if samples in self._recorded:
            return
        c, s = self._config, self._situation
        problem = make_problem(
            s, self._model, self._task, self._map, c.cost, c.treatment, c.pessimism, samples,
            *self._guidance, cvar=c.cvar,
        )  # fmt: skip
        tuned = replace(c.mppi, temperature=s.tuning[0], noise=s.tuning[1])

        def answer() -> Tensor:
            with self._device:
                mean, numbers = mppi.search(tuned, problem, s.warm, self._generator)
            return torch.cat([mean.flatten(), numbers])

        with _tensor_cores(c.precision):
            self._recorded[samples] = self._graph_of(answer) if self._gpu else answer

    @torch.inference_mode()
    def search(self, situation: Situation, samples: int) -> tuple[Tensor, Tensor]:
        """As mppi.search, from `situation`."""
        self.record(samples)
        self._situation.all.copy_(situation.all, non_blocking=True)
        self._answer.copy_(self._recorded[samples](), non_blocking=True)
        if self._gpu:
            torch.cuda.current_stream().synchronize()
        return self._answer[: -mppi.NUMBERS].view_as(situation.warm).clone(), self._answer[-mppi.NUMBERS :]

    def _graph_of(self, work: Callable[[], Tensor]) -> Callable[[], Tensor]:
        stream, pool = self._beside
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                work()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        with torch.cuda.graph(graph, pool=pool, stream=stream):
            out = work()

        def replay() -> Tensor:
            graph.replay()
            return out

        return replay


@contextmanager
def _tensor_cores(precision: str):
    """Matmuls of what is recorded in here may round as tensor cores do, unless it has to be float32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
