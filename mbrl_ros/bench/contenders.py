"""What takes turns in `mbrl bench plan`: the plan as the planner makes it, its parts, its peer, and what lost to it."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable

import numpy as np
import torch

from mbrl_ros.bench.floors import MATMUL
from mbrl_ros.bench.timing import Parts
from mbrl_ros.bench.work import COMMAND, Work, prepare
from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.dynamics.native import PATHS, NativeEnsemble, why_not
from mbrl_ros.runs import RunConfig
from mbrl_ros.types import Action

OURS, PEER, ROLLOUT = "ours", "peer", "rollout"
INSTALL = "pip install -c constraints.txt -e '.[bench]' in a checkout, or pip install 'mbrl_ros[bench]'"


def has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def missing() -> str | None:
    """What of the extra `bench` is not there, what is not measured therefore, and how to get it."""
    lacking = {"pytorch_mppi": "no peer", "onnx": "no ONNX Runtime"}
    lacking = {package: what for package, what in lacking.items() if not has(package)}
    if not lacking:
        return None
    verb = "is" if len(lacking) == 1 else "are"
    return f"{' and '.join(lacking)} {verb} not installed, so there is {' and '.join(lacking.values())}: {INSTALL}"


def of_importance(work: Work) -> Parts:
    """The whole plan, pytorch_mppi at the same work, our rollout alone, and what a floor may be taken from."""
    parts = {OURS: _as_planned(work, work.plan)}
    if has("pytorch_mppi"):
        from mbrl_ros.bench.peer import Peer, StepwiseEnsemble

        parts[PEER] = Peer(work, StepwiseEnsemble(work.model)).plan
    parts[ROLLOUT] = _as_planned(work, _rollout(work, work.planning))
    if has("onnx"):
        from mbrl_ros.bench.unrolled import UnrolledEnsemble

        shape = work.rows, work.config.mppi.horizon, work.config.threads
        parts[f"{MATMUL}onnxruntime float32"] = _rollout(work, UnrolledEnsemble(work.model, *shape, activations=False))
    return parts


def pieces(work: Work) -> Parts:
    """Of the plan; `control step` is the plan with all that stands around it."""
    decisions = work.candidates()
    parts = {
        "noise": work.noise,
        "action map": lambda: work.action_map.decode(decisions, work.situation.phase),
        "score (action map, rollout, reward, costs)": lambda: work.problem.score(decisions),
        "control step (filter, prediction, whole plan)": _control_step(work),
    }
    return {name: _as_planned(work, part) for name, part in parts.items()}


def variants(work: Work, run: RunConfig, compiled: bool) -> Parts:
    """Other ways to the same rollout and to the same plan."""
    chosen = getattr(work.planning, "precision", None)
    parts = {}
    for precision in PATHS:
        if precision != chosen and not why_not(precision):
            parts[f"rollout_c_{precision}"] = _rollout(work, NativeEnsemble(work.model, precision, work.config.threads))
    if chosen != "float32":
        in_float32 = prepare(run.with_setting("planner.precision", "float32"))
        parts["plan_float32"] = _as_planned(in_float32, in_float32.plan)
    if chosen is not None:
        parts["rollout_torch_folded"] = _rollout(work, FoldedEnsemble(work.model))
    parts["rollout_torch"] = _rollout(work, work.model)
    if compiled:
        parts["rollout_torch_compiled"] = _rollout(work, _Compiled(work))
    if has("onnx"):
        from mbrl_ros.bench.unrolled import UnrolledEnsemble

        shape = work.rows, work.config.mppi.horizon, work.config.threads
        parts["rollout_onnxruntime"] = _rollout(work, UnrolledEnsemble(work.model, *shape))
        parts["build_onnxruntime"] = lambda: UnrolledEnsemble(work.model, *shape)
    return parts | (_peer_variants(work, compiled) if has("pytorch_mppi") else {})


def _peer_variants(work: Work, compiled: bool) -> Parts:
    from mbrl_ros.bench.peer import BarePeer, Peer, StepwiseEnsemble

    parts = {
        "peer_bare": BarePeer(work, StepwiseEnsemble(work.model)).plan,
        "peer_bf16": Peer(work, StepwiseEnsemble(work.model, torch.bfloat16)).plan,
        "peer_bare_bf16": BarePeer(work, StepwiseEnsemble(work.model, torch.bfloat16)).plan,
    }
    if compiled:
        network = StepwiseEnsemble(work.model)
        network.compile()
        parts["peer_compiled"] = Peer(work, network).plan
    return parts


def _as_planned(work: Work, part: Callable[[], object]) -> Callable[[], None]:
    """With torch's threads as in the planner; all others get as many as there are, which costs less than a us."""

    def run() -> None:
        torch.set_num_threads(work.torch_threads)
        part()
        torch.set_num_threads(work.config.threads)

    return run


class _Compiled:
    def __init__(self, work: Work):
        self.rollout = torch.compile(FoldedEnsemble(work.model).rollout, dynamic=False)


def _rollout(work: Work, model) -> Callable[[], object]:
    """On what planning asks of it: the targets of candidates, from one state."""
    targets = work.told(work.action_map.decode(work.candidates(), work.situation.phase))
    states = work.situation.state.expand(work.model.members, work.rows, -1)
    return lambda: model.rollout(states, targets)


def _control_step(work: Work) -> Callable[[], None]:
    """One call is one dt later, with the plan followed; a state that never changes is as much work as any other."""
    agent = Agent(work.spec, dataclasses.replace(work.config, mode="mppi", planner="mppi"))
    agent.set_model(work.model, 1)
    command, state = np.full(agent.task.command_size, COMMAND), work.state

    def step() -> None:
        nonlocal state
        state = dataclasses.replace(state, stamp_ns=state.stamp_ns + work.spec.dt_ns)
        plan = agent.act(state, command)
        agent.note_applied(state.stamp_ns, plan.targets[0], Action.FOLLOW)

    return step
