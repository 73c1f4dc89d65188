"""Agent: a complete state in, a plan out. The same in the planner node, in training and in evaluation."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.compiled import NotCompiled
from mbrl_ros.control.curiosity import curious, scouting
from mbrl_ros.control.exploring import RandomMotion
from mbrl_ros.control.filter import StateFilter
from mbrl_ros.control.promises import Promises
from mbrl_ros.control.search import Search
from mbrl_ros.control.trim import Trim
from mbrl_ros.control.trust import Trust
from mbrl_ros.control.velocity_command import approached
from mbrl_ros.dynamics.native import why_not
from mbrl_ros.planners.problem import NoPlan, PlanResult
from mbrl_ros.robots.action_maps import make_action_map, paced
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.fit import check_members
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.settings import DRIVING_MODES, POLICY_MODES, PlannerConfig
from mbrl_ros.tasks import make_task
from mbrl_ros.types import FOLLOWED, NS, Action, Plan, RobotState

CALM = 0.3  # s for which a state has been ordinary again, before mode hybrid goes back to the policy
PLAN_SECONDS = 0.08  # a plan reaches at least this far, so that a late one finds its predecessor still valid


class Agent:
    """Holds what survives a tick: the plan, promised targets, state estimate, gait origin, model."""

    def __init__(self, spec: RobotSpec, config: PlannerConfig):
        self.spec, self.config = spec, config
        self.layout = FeatureLayout(spec)
        self.task = make_task(config.task, self.layout)
        self.map = make_action_map(config.action_map, spec)
        if config.precision == "bf16" and (reason := why_not("bf16")):
            raise NotCompiled(f"planner.precision bf16 cannot be had: {reason}")
        self._search = Search(spec, config, self.task, self.map, self.layout.size)
        self._curiosity = curious(self.task, self.layout, config.explore)
        self._scout = self._curiosity and Search(spec, scouting(config), self._curiosity, self.map, self.layout.size)
        self.model_version = 0
        self.gait_origin_ns: int | None = None
        self._planned_ns = 0  # robot time of the newest plan, also across a gap
        self.last_result: PlanResult | NoPlan | None = None
        self._policy = None
        self._strange_at = -math.inf  # step of the newest state that the policy does not know
        self.strange_inputs: tuple[str, ...] = ()  # of that state, those out of the range that it knows
        self.strange_steps = 0
        self.latency_steps = round(config.latency / spec.dt)  # from a command to its effect in the joints
        self._points = math.ceil(PLAN_SECONDS / spec.dt - 1e-9)
        self._filter = StateFilter(self.layout.noise)
        self._motion = RandomMotion(self.map.size, config.explore.knot_steps, config.seed)
        self._sequence = -1
        self._step = 0  # control steps since the beginning
        self.command = np.zeros(self.task.command_size)  # that the newest plan follows: on the way to the wanted one
        self._followed = True  # by the guard, as far as it has said anything
        self.trust, self.trim = Trust(config.trust), Trim(config.trim)
        self._promises = Promises(np.asarray(spec.stance))
        self.forget()

    @property
    def mode(self) -> str:
        """What it does now: without a model it explores where a learner runs, and stands where none does."""
        wanted = self.config.mode
        if wanted in POLICY_MODES and self._policy is None:
            wanted = "mppi"
        if wanted == "mppi" and not self.has_model and self.config.planner != "prior":
            return "explore" if self.config.learning else "stand"
        return wanted

    @property
    def seeking(self) -> bool:
        """Whether it plans to see what it does not know yet; where it does not, random motion explores."""
        return self._scout is not None and self.has_model and self.mode == "explore"

    @property
    def search(self) -> Search:
        """What finds plans for what it does now."""
        return self._scout if self.seeking else self._search

    @property
    def _searches(self) -> list[Search]:
        return [self._search, self._scout] if self._scout else [self._search]

    @property
    def has_model(self) -> bool:
        return self._search.model is not None

    @property
    def has_policy(self) -> bool:
        return self._policy is not None

    def set_model(self, model, version: int) -> None:
        """Plan with `model` (anything with members and rollout; None: no more) from the next tick on."""
        if model is not None:
            check_members(self.config, model.members)
        for search in self._searches:
            search.set_model(model)
        self.model_version = version

    def set_policy(self, policy) -> None:
        """From the next tick on, `policy` (an OnnxPolicy; None: none) decides in the modes policy and hybrid, and plans
        have from it what `proposals` and `terminal_value` of the planner say."""
        self._policy = policy
        self._search.set_policy(policy)

    def configure(self, config: PlannerConfig) -> None:
        """Other live settings from the next tick on; the warm start stays."""
        if self.has_model:
            check_members(config, self.search.model.members)
        if config.mode != self.config.mode and self._scout:
            self._search.memory.forget()  # of what it did before the other one planned
            self._scout.memory.forget()
        self.config, self.trust.config = config, config.trust
        self.trim.configure(config.trim)
        self._search.configure(config)
        if self._scout:
            self._scout.configure(scouting(config))

    def set_samples(self, samples: int) -> None:
        """Another number of rollouts from the next tick on, whatever the configured one; the warm start stays."""
        for search in self._searches:
            search.set_samples(samples)

    @property
    def samples(self) -> int:
        """Rollouts of a plan; fewer than configured where time is short."""
        return self.search.samples

    def forget(self, standing: bool = False) -> None:
        """After a reset or a gap: no warm start, no promises, no estimate. `standing`: it does not walk any more."""
        if standing:
            self.command = np.zeros(self.task.command_size)
        for search in self._searches:
            search.memory.forget()
        self._promises.forget()
        self.trim.forget()
        self._estimate: np.ndarray | None = None
        self._stamp_ns: int | None = None
        self._plan: Plan | None = None
        self._strange_at = -math.inf
        self._filter.forget()

    def note_applied(self, stamp_ns: int, target: np.ndarray, action: Action) -> None:
        """What the guard really sent at robot time `stamp_ns`."""
        self._followed = action in FOLLOWED
        if self._stamp_ns is not None:
            early_ns = min(self.spec.sample_period_ns // 2, self.spec.dt_ns // 4)  # by which the next step's may come
            after = (stamp_ns - self._stamp_ns + early_ns) // self.spec.dt_ns
            self._promises.note_applied(self._step + after, target, action)

    def warm_up(self, sizes: Sequence[int] = ()) -> None:
        """Runs everything once on nothing, so that the first real tick is as quick as the others; also with as many
        rollouts as `sizes` say."""
        if not self.has_model:
            return
        self.search.record(sizes)
        self.rehearse(self.samples, times=3)

    def rehearse(self, samples: int, times: int = 12) -> list[float]:
        """How long (ms) plans of so many rollouts take, tried on the present model; nothing but `samples` changes."""
        plan, took = self.rehearsal(samples), []
        for _ in range(times):
            began = time.perf_counter()
            plan()
            took.append((time.perf_counter() - began) * 1e3)
        return took

    def rehearsal(self, samples: int) -> Callable[[], None]:
        """Each call plans for nobody, from a state foreseen for nobody."""
        self.set_samples(samples)
        generator, warm = torch.Generator().manual_seed(0), self.map.rest.expand(self.config.search.horizon, -1)

        @torch.inference_mode()
        def plan() -> None:
            self.search.find(warm, generator)
            self._predict(self.layout.scales, [self.spec.stance])

        return plan

    def trace(self, steps: int | None = None) -> Tensor | None:
        """(M, H, S) what each member expects of the last plan, or its first steps; None where nothing was planned."""
        return self.search.trace(steps)

    def phase(self, stamp_ns: int) -> float:
        """Of the gait, 0..1."""
        if self.spec.legs is None or self.gait_origin_ns is None:
            return 0.0
        return ((stamp_ns - self.gait_origin_ns) / NS / self.spec.legs.gait.period) % 1.0

    @torch.inference_mode()
    def act(self, state: RobotState, command: np.ndarray) -> Plan | NoPlan:
        """The plan made in `state`, to be followed from `delay` steps later on. A repeated stamp gets the same."""
        if self._plan is not None and state.stamp_ns == self._plan.stamp_ns:
            return self._plan
        elapsed = self._elapsed_steps(state.stamp_ns)
        self._begin_gait(state.stamp_ns)
        self._step += elapsed
        command = self._approach(np.asarray(command, np.float64), elapsed)
        measured = self.layout.encode(state)
        estimate = self._update_estimate(measured, elapsed)
        ahead = range(self._step, self._step + self.config.delay + self.latency_steps)
        promised = [self._promises.in_force(step, self._step, self.latency_steps) for step in ahead]
        first_ns = state.stamp_ns + self.config.delay * self.spec.dt_ns
        self._look_back()
        exploring, seeking = self.mode == "explore", self.seeking
        if self._curiosity:
            self._curiosity.note(estimate)
        if self.mode in DRIVING_MODES or seeking:
            self._look_at(estimate, promised, self._told(command), first_ns)
            decisions = self._decide(elapsed)
            if isinstance(decisions, NoPlan):
                self._step -= elapsed  # counted from the last plan again, as stamps are
                self.search.memory.forget()  # whatever led here is not where to look next
                return decisions
            self.search.watch_bounds(estimate)
            planned = self.last_result is not None
            exploring = seeking or planned and self.config.learning and self.config.explore.while_learning > 0
        elif exploring:
            motion = self._motion.between(self._step, self._points) * self.config.explore.noise
            decisions = (self.map.rest + motion * self.map.explore).clamp(*self.map.bounds)
        if self.mode == "stand" or self.trust.stopped:
            targets = np.tile(self.spec.stance, (self._points, 1))
        else:
            phase = self._phases(first_ns, self._points)
            targets = self.map.decode(decisions[None, : self._points], phase)[0]
            told = self.search.situation.told
            if told.numel():
                targets = paced(targets, told, self.map.rate)
            targets = targets.numpy().astype(np.float64)
        self._estimate, self.command = estimate, command
        self._note_velocity(measured, elapsed)
        return self._planned(state.stamp_ns, targets, exploring)

    def stand(self, stamp_ns: int) -> Plan:
        """A plan for a state that says nothing but its stamp. A repeated stamp gets the same."""
        if self._plan is not None and stamp_ns == self._plan.stamp_ns:
            return self._plan
        self.forget(standing=True)
        self._step += 1
        self._begin_gait(stamp_ns)
        return self._planned(stamp_ns, np.tile(self.spec.stance, (self._points, 1)), False)

    def _begin_gait(self, stamp_ns: int) -> None:
        """From now on, the first time. Where robot time has jumped feet are where they were, and so is the gait."""
        passed_ns = stamp_ns - self._planned_ns
        if self.gait_origin_ns is None:
            self.gait_origin_ns = stamp_ns
        elif not 0 <= passed_ns < self.config.search.horizon * self.spec.dt_ns:
            self.gait_origin_ns += passed_ns - self.spec.dt_ns
        self._planned_ns = stamp_ns

    def _planned(self, stamp_ns: int, targets: np.ndarray, exploring: bool) -> Plan:
        """Numbered, and what it promises kept in mind."""
        self._stamp_ns = stamp_ns
        self._promises.give(self._step + self.config.delay, targets, keep_from=self._step - self.latency_steps)
        self._sequence += 1
        offsets = tuple((self.config.delay + i) * self.spec.dt_ns for i in range(self._points))
        self._plan = Plan(
            stamp_ns, self._sequence, self.model_version, self.gait_origin_ns, offsets, targets, exploring
        )
        return self._plan

    def _approach(self, wanted: np.ndarray, elapsed: int) -> np.ndarray:
        """(C,) no robot changes its velocity at once, and those that try fall. While it is not driven, it stops."""
        if self.task.goal is not None:
            return wanted
        if self.mode not in DRIVING_MODES or not self._followed or self.trust.stopped:
            wanted = np.zeros_like(self.command)
        wanted = wanted * self.trust.share
        c, seconds = self.config, elapsed * self.spec.dt
        return approached(self.command, wanted, c.acceleration_limit * seconds, c.yaw_acceleration_limit * seconds)

    def _told(self, command: np.ndarray) -> np.ndarray:
        """(C,) what is planned for, so that the command is reached."""
        return command if self.task.goal is not None else self.trim.told(command)

    def _note_velocity(self, measured: np.ndarray, elapsed: int) -> None:
        """Once a plan, by what was measured: the model's word may be why the command is not reached."""
        if self.task.goal is None and self._followed:
            self.trim.note(self.command, self.layout.velocity(measured), elapsed * self.spec.dt)

    def _elapsed_steps(self, stamp_ns: int) -> int:
        """Control steps since the last plan; more than one where a tick came too late to be planned."""
        if self._stamp_ns is None:
            return 1
        steps = round((stamp_ns - self._stamp_ns) / self.spec.dt_ns)
        if not 1 <= steps < self.config.search.horizon:
            self.forget()
            return max(1, steps)
        return steps

    def _update_estimate(self, measured: np.ndarray, elapsed: int) -> np.ndarray:
        """(S,) the state now: measured, merged with what the model expected of the targets that were applied."""
        predicted = None
        if self.config.filter and self._estimate is not None and self.has_model:
            told = [self._promises.told(step - self.latency_steps) for step in range(self._step - elapsed, self._step)]
            if all(target is not None for target in told):
                predicted = self._predict(self._estimate, told)
        return self._filter.update(measured, predicted)

    def _predict(self, state: np.ndarray, targets: list[np.ndarray]) -> np.ndarray:
        """(S,) the mean over members of the state after the given targets."""
        told, start = (torch.from_numpy(np.array(part, np.float32)) for part in (targets, state))
        members = self.search.model.members
        after = self.search.model.rollout(start.expand(members, 1, -1), told.expand(members, 1, -1, -1))
        return after[:, 0, -1].mean(0).numpy()

    def _look_back(self) -> None:
        """What the guard will have told before the plan's first target, where the action map has to follow on it."""
        told, promises = self.search.situation.told, self._promises
        if not told.numel():
            return
        last = promises.told(self._step - 1)
        told.copy_(torch.from_numpy(np.asarray(self.spec.stance if last is None else last, np.float32)))
        ahead = [promises.in_force(self._step + i, self._step, latency=0) for i in range(self.config.delay)]
        if ahead:
            told.copy_(paced(torch.from_numpy(np.array(ahead, np.float32)), told, self.map.rate)[-1])

    def _look_at(self, estimate, promised, command, first_ns: int) -> None:
        """What is decided on: the state when it begins to act, where the command is to lead, the phase of the gait."""
        s = self.search.situation
        ahead = self._predict(estimate, promised) if promised and self.has_model else estimate
        ahead, command = (torch.from_numpy(np.asarray(part, np.float32)) for part in (ahead, command))
        s.begin(ahead, command, self._phases(first_ns, len(s.phase)))
        s.prior.copy_(self.map.prior(command))

    def _decide(self, elapsed: int) -> Tensor | NoPlan:
        """(P, U) by plan or by policy; `last_result` is None where the policy did, or is to blame."""
        seen, mode = self.search.situation.seen.numpy(), self.mode
        self.last_result = None
        if not np.isfinite(seen).all():
            self.last_result = NoPlan("what the model foresees is not finite")
            return self.last_result
        strange = mode in POLICY_MODES and self._strange_lately(seen)
        if mode in ("mppi", "explore") or (mode == "hybrid" and self.has_model and strange):
            return self._plan_decisions(elapsed)
        decision = torch.from_numpy(self._policy.decide(seen, self.search.situation.prior[0].numpy()))
        if not torch.isfinite(decision).all():
            if mode == "hybrid" and self.has_model:
                return self._plan_decisions(elapsed)
            return NoPlan("the policy's decisions are not finite")
        self.search.memory.decided(decision.expand(self.config.search.horizon, -1))
        return decision.expand(self._points, -1)  # from which the action map goes on by itself until the next

    def _strange_lately(self, seen: np.ndarray) -> bool:
        """Whether the policy did not know such a state, now or a moment ago."""
        if len(strange := self._policy.strange(seen)):
            self._strange_at, self.strange_steps = self._step, self.strange_steps + 1
            self.strange_inputs = tuple(self._policy.card.seen[i] for i in strange)
        return self._step - self._strange_at <= CALM / self.spec.dt

    def _plan_decisions(self, elapsed: int) -> Tensor | NoPlan:
        """(H, U) commanded from the step `delay` ahead on; in force a latency later, where the model begins."""
        if self.config.search.terminal_value and self._policy is None and not self.seeking:
            return NoPlan(f"planner.{self.config.searching}.terminal_value is a policy's, and there is none")
        result = self.last_result = self.search.plan(elapsed)
        if isinstance(result, NoPlan):
            return result
        within = torch.arange(self._points).clamp(max=self.config.search.horizon - 1)
        decisions = result.actions[within]  # a short plan stays
        if self.config.learning and self.config.explore.while_learning > 0:
            motion = self._motion.between(self._step, len(decisions)) * self.map.explore
            decisions = (decisions + self.config.explore.while_learning * motion).clamp(*self.map.bounds)
        return decisions

    def _phases(self, first_ns: int, count: int) -> Tensor:
        """(count,) of the gait from robot time `first_ns` on, one a step."""
        return (self.phase(first_ns) + self.spec.phase_step * torch.arange(count)) % 1.0
