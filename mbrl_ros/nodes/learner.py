"""The learner node: transitions in, model versions out. Trains in slices, on what control leaves free."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rclpy.clock import Clock, ClockType
from rclpy.serialization import serialize_message

from mbrl_ros.config import ConfigError
from mbrl_ros.control import realtime
from mbrl_ros.data.inbox import Inbox
from mbrl_ros.distilling.live import LiveDistilling, planner_of
from mbrl_ros.dynamics.storage import to_bytes
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.models import load_keepsake, load_model
from mbrl_ros.learning.run_memory import RunMemory
from mbrl_ros.learning.run_versions import RunVersions
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.nodes import learner_report, lockstep, topics
from mbrl_ros.nodes.messages.fields import Refused
from mbrl_ros.nodes.messages.learning import bytes_message, transition_of
from mbrl_ros.nodes.messages.status import ERROR, OK, diagnostics_message, number_message, status_message, values_of
from mbrl_ros.nodes.offers import SigningPublisher
from mbrl_ros.nodes.params import Settings
from mbrl_ros.nodes.run import ManagedNode, run_node
from mbrl_ros.nodes.self_report import DIAGNOSTICS_PERIOD, METRICS_PERIOD
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.settings import LearnerConfig, RealtimeConfig
from mbrl_ros.types import Transition

IDLE = 0.05  # s between two looks at whether training is due
TOLD = 10.0  # s for which the diagnostics say what was wrong on disk
METRICS = (keys.HELD_OUT_ERROR, keys.DATA_SECONDS)


class LearnerNode(ManagedNode):
    def __init__(self):
        super().__init__("learner")
        self._memory: RunMemory | None = None
        self._settings = Settings(self, LearnerConfig(), self._on_settings, self._check_change)

    def configure(self) -> None:
        config = self._settings.current
        torch.set_num_threads(config.threads)
        self._spec = load_robot(config.robot)
        self._inbox = Inbox()
        self._build(config)
        self._distilling = self._live_distilling(config) if config.distill.live else None
        self._refused_messages = 0
        self._models = SigningPublisher(self, topics.MODEL, config.key_file)
        self._policies = SigningPublisher(self, topics.POLICY, config.key_file)
        self._diagnostics = topics.publisher(self, topics.DIAGNOSTICS)
        self._metrics = {name: topics.publisher(self, topics.metric(name)) for name in METRICS}
        topics.subscription(self, topics.TRANSITION, self._on_transition)
        topics.subscription(self, topics.MODEL_STATUS, self._on_model_status)
        if config.lockstep:
            topics.service(self, topics.LOCKSTEP, self._on_lockstep)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(METRICS_PERIOD, self._report_metrics, clock=steady)
        self.create_timer(DIAGNOSTICS_PERIOD, self._report_diagnostics, clock=steady)

    def _build(self, config: LearnerConfig) -> None:
        """Goes on from this run's last good version; else from the model that the run starts with."""
        layout = FeatureLayout(self._spec)
        self._versions = RunVersions(config.folder, layout, load_model(config.model, "", layout), self._on_bad_disk)
        if config.folder and config.journal.enabled:
            topic, warn = self.resolve_topic_name(topics.TRANSITION.name), self.get_logger().warning
            self._memory = RunMemory(Path(config.folder), layout, topic, config.journal, warn)
        self._learner = Learner(self._spec, config, *self._versions.newest, self._keepsake(config, layout))
        self._versions.number(self._learner)
        # Learned from after the last round of training before the restart: taken when it goes on.
        self._later = self._memory.resume(self._learner, self._inbox) if self._memory else []
        wrong = self._versions.begin(self._learner).items()
        self._wrong = "; ".join(f"refused model {v} in {config.folder}: {why}" for v, why in wrong)
        if self._wrong:
            self.get_logger().error(self._wrong)
            self._keep_progress()

    def _keepsake(self, config: LearnerConfig, layout: FeatureLayout) -> dict[str, np.ndarray] | None:
        """Of this run, where it goes on without a journal; else of the model that it starts with."""
        if not config.keepsake:
            return None
        journaled = self._memory is not None and self._memory.holds_anything()
        try:
            own = None if journaled else self._versions.keepsake()
            return load_keepsake(config.model, "", layout) if own is None else own
        except ConfigError as error:
            self.get_logger().error(f"learning on without what the model knows: {error}")
            return None

    def activate(self) -> None:
        self._round: Iterator[float] | None = None
        self._losses: list[float] = []
        self._resume_at = 0.0  # steady time before which nothing is trained
        self._wrong_until = time.monotonic() + TOLD
        self._trained = self._distilled = 0.0  # s spent on each
        self._error = float("nan")
        if self._versions.kept:
            self._models.publish(bytes_message(self._versions.kept[2]))
        if self._distilling and self._distilling.kept:
            self._policies.publish(bytes_message(self._distilling.kept))
        for missing in realtime.take(RealtimeConfig(cores=self._settings.current.cores)):
            self.get_logger().warning(missing)
        for transition in self._later:
            self._take(transition)
        self._later = []
        gc.collect()
        gc.freeze()

    def clean_up(self) -> None:
        if self._memory:
            self._memory.close()
            self._memory = None

    farewell = clean_up

    def _check_change(self, now: LearnerConfig, new: LearnerConfig) -> None:
        if new.distill.live:
            planner_of(new)

    def _on_settings(self, config: LearnerConfig) -> None:
        if config.distill.live and getattr(self, "_distilling", True) is None:
            self._distilling = self._live_distilling(config)

    # What comes in

    def _on_transition(self, message) -> None:
        if not self.active:
            return
        try:
            transition = transition_of(message)
        except Refused as refusal:
            self._refused(str(refusal))
            return
        sizes = self._learner.layout.transition_sizes
        if transition.sizes != sizes:
            self._refused(f"state, action and next_state have sizes {transition.sizes}, {self._spec.name} has {sizes}")
        elif self._inbox.accept(transition):
            if self._memory:
                self._memory.add(serialize_message(message), transition)
            self._take(transition)

    def _take(self, transition: Transition) -> None:
        self._learner.add(transition)
        if self._settings.current.lockstep:
            self._train_whole()

    def _refused(self, reason: str) -> None:
        self._refused_messages += 1
        self.get_logger().error(f"transition: {reason}", throttle_duration_sec=2.0)

    def _on_model_status(self, message) -> None:
        """A version of ours that the planner refused is never offered again; the last good one is."""
        if not self.active:
            return
        said = values_of(message)
        if self._distilling:
            good = self._distilling.refuse(_versions_after(keys.POLICY_REFUSED, said))
            if good is not None:
                self.get_logger().warning("the newest policy was refused: the last good one is published again")
                self._policies.publish(bytes_message(good))
        went_back = self._versions.refuse(_versions_after(keys.MODEL_REFUSED, said), self._learner)
        if went_back is None:
            return
        refused, good = went_back
        self._round = None  # what was being trained grew out of it
        self._keep_progress()
        if good is None:
            self.get_logger().error(f"versions {sorted(refused)} were refused, and none is left: learning anew")
        else:
            self.get_logger().warning(f"versions {sorted(refused)} were refused: back to {good[1].version}")
            self._models.publish(bytes_message(good[2]))

    def _on_lockstep(self) -> tuple[bool, str]:
        """What is due has been trained: each version right after the transition that called for it."""
        if not self.active:
            return False, "the learner is not active"
        return True, lockstep.answer(self._inbox.newest, self._learner.version)

    # Training

    def _train_whole(self) -> None:
        """Lockstep: so a version has the same data behind it, however late the next transition or question comes."""
        while self._round is not None or self._learner.due():
            self._train()

    def work(self) -> float:
        """One training step or a slice of distillation, if there is any to do; called between rounds of callbacks."""
        if not self.active:
            return IDLE
        distils = self._distils_next()
        if not distils and self._round is None and not self._learner.due():
            return IDLE
        began = time.monotonic()
        if began < self._resume_at:
            return self._resume_at - began
        if distils:
            self._distil()
            self._distilled += time.monotonic() - began
        else:
            self._train()
            self._trained += time.monotonic() - began
        return self._rest(time.monotonic() - began)

    def _train(self) -> None:
        if self._round is None:
            self._round, self._losses = self._learner.train(), []
        loss = next(self._round, None)
        if loss is not None:
            self._losses.append(loss)
            return
        self._round = None
        if self._losses:
            self._offer(float(np.mean(self._losses[-20:])))
        self._keep_progress()

    def _keep_progress(self) -> None:
        if self._memory is None:
            return
        try:
            self._memory.keep_progress(self._learner)
        except OSError as error:
            self._on_bad_disk(f"how far learning has come is not kept on disk: {error}")

    def _rest(self, worked: float) -> float:
        """Seconds to leave the machine to control after so many of training.

        None in lockstep, where control waits anyway, nor before there is a model: random motion costs little.
        """
        config = self._settings.current
        hurry = config.lockstep or self._learner.incumbent is None
        rest = 0.0 if hurry else worked * (1 / config.duty - 1)
        self._resume_at = time.monotonic() + rest
        return rest

    def _offer(self, loss: float) -> None:
        verdict = self._learner.judge(loss)
        self._error = verdict.candidate.error
        if not verdict.promoted:
            self.get_logger().info(f"a candidate is not promoted: {verdict.objection}")
            return
        content = to_bytes(self._learner.incumbent, verdict.card)
        self._versions.promoted(verdict.card, self._learner.incumbent, content, self._learner.buffer)
        self._models.publish(bytes_message(content))
        self.get_logger().info(
            f"model {verdict.card.version}: {self._learner.seconds:.0f} s of data, "
            f"held-out error {verdict.candidate.error:.3f}, one-step R2 {verdict.candidate.one_step_r2:.3f}"
        )

    def _on_bad_disk(self, trouble: str) -> None:
        self.get_logger().error(trouble, throttle_duration_sec=10.0)

    # Distillation

    def _live_distilling(self, config: LearnerConfig) -> LiveDistilling:
        return LiveDistilling(config, self._spec, self.get_logger().warning)

    def _distils_next(self) -> bool:
        """Training comes first; but where it always wants more, distillation has its share of the time."""
        live = self._live()
        if live is None or live.waits(self._learner):
            return False
        if self._round is None and not self._learner.due():
            return True
        return self._distilled < self._settings.current.distill.share * (self._trained + self._distilled)

    def _live(self) -> LiveDistilling | None:
        return self._distilling if self._settings.current.distill.live else None

    def _distil(self) -> None:
        live = self._live()
        try:
            content = live.step(self._learner)
        except ConfigError as error:
            self.get_logger().error(f"nothing is distilled any more: {error}")
            self._distilling = None
            return
        if content is not None:
            self._offer_policy(live, content)

    def _offer_policy(self, live: LiveDistilling, content: bytes) -> None:
        try:
            live.keep(content)
        except OSError as error:
            self._on_bad_disk(f"policy {live.version} is not kept on disk: {error}")
        self._policies.publish(bytes_message(content))
        self.get_logger().info(
            f"policy {live.version}: off its teacher by {live.last.imitation:.3f}, reward {live.last.reward:.3f} a step"
        )

    # What it says about itself

    def _report_metrics(self) -> None:
        if not self.active:
            return
        for name, value in ((keys.HELD_OUT_ERROR, self._error), (keys.DATA_SECONDS, self._learner.seconds)):
            if np.isfinite(value) and self._metrics[name].get_subscription_count():
                self._metrics[name].publish(number_message(value))

    def _report_diagnostics(self) -> None:
        if not self.active:
            return
        learner, inbox = self._learner, self._inbox
        state = "training" if self._round is not None else "waiting"
        live = self._live()
        if live and state == "waiting" and not live.waits(learner):
            state = "distilling"
        journal = self._memory.journal if self._memory else None
        values = learner_report.values(state, learner, inbox, journal, live)
        values |= {keys.HELD_OUT_ERROR: self._error, "refused_messages": self._refused_messages}
        level, text = learner_report.verdict(inbox, journal) or (OK, state)
        if self._wrong and level != ERROR and time.monotonic() < self._wrong_until:
            level, text = ERROR, self._wrong
        if journal and journal.error:
            self.get_logger().error(text, throttle_duration_sec=5.0)
        status = status_message(self.get_fully_qualified_name(), text, values, level)
        self._diagnostics.publish(diagnostics_message(self.get_clock().now().nanoseconds, [status]))


def _versions_after(words: str, said: dict[str, str]) -> set[int]:
    numbers = (key.removeprefix(words) for key in said if key.startswith(words))
    return {int(number) for number in numbers if number.isdecimal() and len(number) < 20}


def main() -> int:
    return run_node(LearnerNode)


if __name__ == "__main__":
    raise SystemExit(main())
