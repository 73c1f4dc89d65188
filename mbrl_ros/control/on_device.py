"""The search of a plan on the robot's GPU: noise, action map, rollout, reward and weights in one recorded graph.

Everything that a search needs lies there. For each plan one copy goes there and one comes back, and only the last is
waited for. Another model is copied into the place of the old one; another number of rollouts is another graph, recorded
at its first use.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from mbrl_ros.config import ConfigError
from mbrl_ros.control.scoring import Situation, make_problem
from mbrl_ros.dynamics.folded import FoldedRollout
from mbrl_ros.planners import mppi
from mbrl_ros.planners.problem import Problem
from mbrl_ros.robots.action_maps import make_action_map
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.settings import MppiConfig, PlannerConfig
from mbrl_ros.tasks import make_task

WARM_UP = 3  # runs before a recording, in which libraries choose their ways


class OnDevice:
    """Make it anew where the horizon or any other setting of the search is another one."""

    @torch.inference_mode()
    def __init__(self, config: PlannerConfig, spec: RobotSpec, model, device: str):
        """`model` as planning runs it on the CPU: the weights are taken from it."""
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise ConfigError("planner.device is cuda, but torch finds no GPU here: `mbrl doctor` says what it found")
        if config.precision != "float32":
            torch.set_float32_matmul_precision("high")
        self._config, self._device = config, torch.device(device)
        self._gpu = self._device.type == "cuda"
        self._generator = Generator(self._device).manual_seed(config.seed)
        self._model = FoldedRollout(
            *([tensor.to(self._device, copy=True) for tensor in kind] for kind in (model.weights, model.biases))
        )
        with self._device:  # whatever is made in here lies there
            self._map, self._task = (
                make_action_map(config.action_map, spec),
                make_task(config.task, FeatureLayout(spec)),
            )
            horizon, layout = config.mppi.horizon, FeatureLayout(spec)
            self._situation = Situation.empty(layout.size, self._task.command_size, self._map.size, horizon)
            self._warm = torch.zeros(horizon, self._map.size)
        self._answer = torch.zeros(self._warm.numel() + mppi.NUMBERS, pin_memory=self._gpu)
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

    def search_from(self, situation: Situation, samples: int) -> Callable:
        """As mppi.search, but with all that it was made with, from what `situation` holds when it is called."""

        @torch.inference_mode()
        def search(config: MppiConfig, problem: Problem, warm: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
            if samples not in self._recorded:
                self._recorded[samples] = self._record(samples)
            self._situation.all.copy_(situation.all, non_blocking=True)
            self._warm.copy_(warm, non_blocking=True)
            self._answer.copy_(self._recorded[samples](), non_blocking=True)
            if self._gpu:
                torch.cuda.current_stream().synchronize()
            return self._answer[: -mppi.NUMBERS].view_as(warm).clone(), self._answer[-mppi.NUMBERS :]

        return search

    def _record(self, samples: int) -> Callable[[], Tensor]:
        """What answers for so many rollouts; on a CPU, which records nothing, by doing it."""
        c = self._config
        with self._device:
            problem = make_problem(
                self._situation, self._model, self._task, self._map, c.cost, c.treatment, c.pessimism, samples
            )

        def answer() -> Tensor:
            with self._device:
                mean, numbers = mppi.search(c.mppi, problem, self._warm, self._generator)
            return torch.cat([mean.flatten(), numbers])

        return _graph_of(answer, self._generator) if self._gpu else answer


def _graph_of(work: Callable[[], Tensor], generator: Generator) -> Callable[[], Tensor]:
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(WARM_UP):
            work()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        out = work()

    def replay() -> Tensor:
        graph.replay()
        return out

    return replay
