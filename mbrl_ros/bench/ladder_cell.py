"""One cell of the ladder: a robot learns by one rung, in its own loop, and is judged on the truth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from importlib import import_module

import numpy as np
import torch

from mbrl_ros.backends import new_backend
from mbrl_ros.bench.ladder import PEERS, SEARCHED, SHIPPED, Rung
from mbrl_ros.bench.ladder_budgets import GRADIENT_PASSES, RESTARTS, Budget
from mbrl_ros.bench.ladder_models import PASSES, Refits
from mbrl_ros.control.agent import Agent
from mbrl_ros.learning.evaluating import COMMANDS, driving, until_followed
from mbrl_ros.learning.models import load_keepsake, load_model
from mbrl_ros.learning.policies import load_policy
from mbrl_ros.learning.session import Session
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.obstacles import on_map
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.runs import RunConfig, load_run

ELITES = 0.2  # share: of so few candidates a tenth is no distribution
HOLD = 2.0  # s of each command, where a robot follows commands


def climbed(task: str, rung: Rung, budget: Budget, seed: int) -> dict[str, float | None]:
    """What came of it, by name; None where the task has no such thing."""
    torch.manual_seed(seed)  # who comes from outside draws from torch's own
    run = settled(load_run(budget.run), rung, budget).with_setting("seed", seed)
    spec = load_robot(run.planner.robot)
    if task == "rover":
        spec = on_map(spec, seed)
    began = time.perf_counter()
    if rung.planner == SHIPPED:
        model, card = load_model("pretrained", run.name, FeatureLayout(spec))
        learned = {"robot_seconds": card.seconds, "fit_seconds": None, "learning_falls": None}
    else:
        model, learned = _learned(rung, run, spec, budget, seed)
    policy = load_policy(run, spec) if rung.planner == SHIPPED else None
    found = judged(rung, run, spec, model, policy, budget, seed)
    return {**found, **learned, "wall_seconds": time.perf_counter() - began}


def settled(run: RunConfig, rung: Rung, budget: Budget) -> RunConfig:
    """The run with the rung's planner and treatment: the same horizon and noise for all, and the same arithmetic."""
    planner = rung.planner if rung.planner not in (*PEERS, SHIPPED) else "mppi"
    base, rows = run.planner.mppi, budget.passes // PASSES.get(rung.model, 1)
    run = run.with_setting("planner.planner", planner, "bench ladder")
    own = run.planner.search
    members = run.learner.ensemble.members if rung.model == "ensemble" else 1
    chosen = {
        "horizon": base.horizon, "knot_steps": base.knot_steps, "noise": base.noise, "elites": ELITES,
        "samples": max(10, rows // getattr(own, "iterations", 1)),
    }  # fmt: skip
    if planner == "gradient":
        each = GRADIENT_PASSES * RESTARTS * members
        chosen |= {"restarts": RESTARTS, "iterations": max(1, min(200, rows // each))}
    if planner == "mcts" and own.simulation == "greedy":  # which goes on with the best of all choices
        chosen["samples"] = max(10, rows // SEARCHED[run.planner.task])
    names = {f.name for f in fields(own)}
    changes = {f"planner.{run.planner.searching}.{key}": value for key, value in chosen.items() if key in names}
    changes |= {"planner.treatment": rung.treatment, "planner.trust.enabled": False}
    changes |= {"planner.mode": "policy" if rung.planner == SHIPPED else "mppi"}
    return run.with_all(changes, "bench ladder")


def _learned(rung: Rung, run: RunConfig, spec: RobotSpec, budget: Budget, seed: int):
    """The model at the end, and what it took."""
    refits = Refits(spec, rung.model, run.learner, budget, seed)
    falls = 0
    if budget.seconds:
        falls = _practised(rung, run, spec, refits, budget, seed)
    else:
        _, card = load_model("pretrained", run.name, refits.layout)
        refits.buffer.begin_with(load_keepsake("pretrained", run.name, refits.layout))
    losses = list(refits.train())
    refits.judge(float(np.mean(losses)) if losses else float("nan"))
    return refits.incumbent, {
        "robot_seconds": budget.seconds or refits.buffer.seconds,
        "fit_seconds": refits.fit_seconds,
        "learning_falls": falls,
        "unflown": float(refits.incumbent is None),  # it stood: the last model was not finite, or there were no data
    }


def _practised(rung: Rung, run: RunConfig, spec: RobotSpec, refits: Refits, budget: Budget, seed: int) -> int:
    """How often it fell; what it has seen is in the buffer."""
    agent = Agent(spec, run.planner)
    session = Session(run, new_backend(spec, seed, run.bridge.noise, run.bridge.latency), agent, refits)
    let_others_plan(rung, agent)
    falls, again = 0, round(budget.restart / spec.dt)
    for k in range(round(budget.seconds / spec.dt)):
        if again and k and k % again == 0:
            session.restart()
        falls += session.step(np.zeros(agent.task.command_size)).fell
    return falls


def judged(rung: Rung, run: RunConfig, spec: RobotSpec, model, policy, budget: Budget, seed: int) -> dict:
    """An episode from the start, on the truth: nothing is learned or explored in it."""
    session = driving(run, spec, model, seed, run.bridge.noise, policy)
    task, layout = session.agent.task, session.agent.layout
    let_others_plan(rung, session.agent)
    if task.goal is None:
        until_followed(session)
    took: list[float] = []
    session.agent.act = _timed(session.agent.act, took)
    violation, steps = getattr(task, "violation", None), round(budget.judged / spec.dt)
    earned, there, outside, falls = 0.0, [], [], 0
    for k in range(steps):
        command = np.zeros(task.command_size)
        if task.goal is None:
            command[:] = COMMANDS[int(k * spec.dt / HOLD) % len(COMMANDS)]
        outcome = session.step(command)
        state = torch.from_numpy(layout.encode(outcome.truth))
        earned += float(task.reward(state, torch.tensor(command, dtype=torch.float32)))
        falls += outcome.fell
        if task.goal is not None:
            there.append(bool(task.at_goal(state)))
        if violation is not None:
            outside.append(bool(violation(state) > 0))
    return {
        "return": earned,
        "at_goal": float(np.mean(there)) if there else None,
        "outside": float(np.mean(outside)) if outside else None,
        "falls": falls,
        "decision_ms": float(np.median(took)),
        **({"no_plans": session.no_plans} if session.no_plans else {}),
    }


def let_others_plan(rung: Rung, agent: Agent) -> None:
    if rung.planner in PEERS:
        agent.search.find = import_module(PEERS[rung.planner]).Peer(agent.search).find


def _timed(decide: Callable, took: list[float]) -> Callable:
    """ms of processor time, which whatever else runs beside does not add to."""

    def timed(*args):
        began = time.process_time()
        decision = decide(*args)
        took.append((time.process_time() - began) * 1e3)
        return decision

    return timed
