"""A learner that was killed goes on where it was."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE, GO1, linear_run, quick_config
from rclpy.serialization import serialize_message

from mbrl_ros.data.inbox import Inbox
from mbrl_ros.data.journal import files
from mbrl_ros.dynamics.storage import ModelRefused, from_bytes, to_bytes
from mbrl_ros.learner_settings import JournalConfig
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.models import Versions
from mbrl_ros.learning.progress import progress_bytes, progress_of
from mbrl_ros.learning.run_memory import FILE, RunMemory
from mbrl_ros.nodes.messages.learning import transition_message
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.types import Flag

LAYOUT = FeatureLayout(CARTPOLE)
RUN = linear_run(400, seed=4)
STARTED = []


@pytest.fixture(autouse=True)
def ended():
    """No thread of a test outlives it."""
    yield
    while STARTED:
        STARTED.pop().memory.journal.stop()


class Process:
    """A learner and what it leaves in a folder, as the node keeps both; trains each round as soon as it is due."""

    def __init__(self, folder, spec=CARTPOLE, **changes):
        self.said = []
        layout = FeatureLayout(spec)
        self.versions = Versions(folder, layout)
        self.memory = RunMemory(folder, layout, "/transition", JournalConfig(), self.said.append)
        kept = self.versions.newest()
        self.learner, self.inbox = Learner(spec, quick_config(**changes), *(kept[:2] if kept else ())), Inbox()
        self.later = self.memory.resume(self.learner, self.inbox)
        STARTED.append(self)
        for t in self.later:
            self._take(t)

    def comes(self, run):
        for t in run:
            if self.inbox.accept(t):
                self.memory.add(serialize_message(transition_message(t)), t)
                self._take(t)
        return self

    def killed(self):
        """What had come is on disk, and no file is ended."""
        self.memory.journal.flush()
        self.memory.journal.stop()

    def learned(self):
        """All that makes the model, to the last bit."""
        model = self.learner.incumbent
        tensors = [*model.parameters, *(getattr(model.normaliser, f.name) for f in fields(model.normaliser))]
        return self.learner.card, [t.detach().numpy().tobytes() for t in tensors]

    def _take(self, t):
        self.learner.add(t)
        if self.learner.due():
            losses = list(self.learner.train())
            if losses and self.learner.judge(float(np.mean(losses))).promoted:
                learner = self.learner
                self.versions.save(learner.version, to_bytes(learner.incumbent, learner.card))
            self.memory.keep_progress(self.learner)


@pytest.mark.parametrize("killed_after", [0, 40, 100, 101, 130, 250], ids=lambda n: f"killed after {n}")
def test_a_killed_learner_learns_the_same_as_one_that_was_not(tmp_path, killed_after):
    whole = Process(tmp_path / "whole").comes(RUN[:300])
    Process(tmp_path / "cut").comes(RUN[:killed_after]).killed()
    again = Process(tmp_path / "cut").comes(RUN[:300])
    assert again.inbox.duplicates == killed_after, "what the topic repeats is not learned twice"
    assert (again.learner.version, again.learner.seconds) == (whole.learner.version, whole.learner.seconds)
    assert whole.learner.version >= 3
    assert again.learned() == whole.learned()
    assert again.said == []


def test_it_goes_on_after_being_killed_again_and_again(tmp_path):
    whole = Process(tmp_path / "whole").comes(RUN)
    for end in range(70, 400, 70):
        Process(tmp_path / "cut").comes(RUN[max(0, end - 90) : end]).killed()
    again = Process(tmp_path / "cut").comes(RUN)
    assert again.learned() == whole.learned()
    again.memory.close()
    assert len(files(tmp_path / "cut")) == 6


def test_what_a_journal_lacks_is_a_gap_that_is_counted_and_not_bridged(tmp_path):
    Process(tmp_path).comes(RUN[:120] + RUN[150:180]).killed()
    again = Process(tmp_path)
    assert (again.inbox.received, again.inbox.missing) == (150, 30)
    buffer = again.learner.buffer
    slots = np.concatenate([buffer.starts(2, held_out) for held_out in (True, False)])
    assert len(slots) and 119 not in slots


def test_what_a_learner_was_told_to_forget_stays_forgotten(tmp_path):
    run = RUN[:120] + [replace(RUN[120], flags=Flag.ANEW)] + RUN[121:140]
    before = Process(tmp_path).comes(run)
    before.killed()
    again = Process(tmp_path)
    assert again.learner.buffer.added == before.learner.buffer.added == 20
    assert again.learner.earlier_seconds == pytest.approx(before.learner.earlier_seconds)


def test_a_journal_of_another_robot_is_left_alone_and_named(tmp_path):
    Process(tmp_path).comes(RUN[:120]).killed()
    other = replace(CARTPOLE, dt=0.02)
    again = Process(tmp_path, spec=other)
    assert (again.inbox.received, again.learner.version) == (0, 0)
    assert any("another robot" in text for text in again.said)


def test_damaged_files_are_named_and_learning_goes_on_without_them(tmp_path):
    Process(tmp_path).comes(RUN[:120]).killed()
    (path,) = files(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:-200])
    (tmp_path / FILE).write_bytes(b"nonsense")
    again = Process(tmp_path)
    assert again.learner.version == 1, "the version is a file of its own"
    assert any("optimiser" in text for text in again.said)
    assert again.comes(RUN[:300]).learner.version > 1


@pytest.mark.parametrize("at", [3, "second chunk"])
def test_a_damaged_journal_is_named_left_as_it_is_and_read_on_behind_the_damage(tmp_path, at):
    one = Process(tmp_path)
    for end in range(50, 251, 50):
        one.comes(RUN[end - 50 : end]).memory.journal.flush()
    one.memory.close()
    (path,) = files(tmp_path)
    content = bytearray(path.read_bytes())
    content[at if at == 3 else content.index(b"\x04\0\0\0zstd", 600) - 31] ^= 0x10  # there: in its record's length
    path.write_bytes(content)
    again = Process(tmp_path)
    assert (again.inbox.received, again.inbox.missing) == (250, 0)
    assert path.read_bytes() == content
    (said,) = again.said
    assert str(path) in said and "250 transitions were read, 0 are lost" in said


def test_of_planners_whose_clock_was_set_back_nothing_is_learned_twice_or_too_late(tmp_path):
    def run(start_ns, count):
        return [replace(t, start_ns=start_ns) for t in RUN[:count]]

    before = Process(tmp_path).comes([*run(2000, 60), *run(1000, 150)])
    before.killed()
    again = Process(tmp_path).comes([*run(1000, 150), *run(2000, 60)])
    assert (again.inbox.received, again.inbox.duplicates) == (210, 210)
    assert again.learned() == before.learned()


def test_the_optimiser_goes_on_with_what_it_remembered(tmp_path):
    before = Process(tmp_path).comes(RUN[:160]).learner
    state = before.candidate.trainer.optimiser_state()
    found = progress_of(progress_bytes(before.progress(), LAYOUT), LAYOUT)
    assert state.keys() == found.optimiser.keys() and len(state) == 3 * len(before.candidate.trainer.model.parameters)
    assert all(torch.equal(state[name], found.optimiser[name]) for name in state)
    assert found.generator == before._generator.bit_generator.state


def test_progress_that_does_not_fit_is_refused_and_changes_nothing(tmp_path):
    one = Process(tmp_path).comes(RUN[:160]).learner
    progress = progress_of(progress_bytes(one.progress(), LAYOUT), LAYOUT)
    name = next(iter(progress.optimiser))
    spoilt = [
        replace(progress, counts=replace(progress.counts, version=9)),
        replace(progress, optimiser={name: progress.optimiser[name]}),
        replace(progress, optimiser=progress.optimiser | {name: torch.full_like(progress.optimiser[name], torch.nan)}),
        replace(progress, generator={"bit_generator": "another"}),
    ]
    for other in spoilt:
        learner = Learner(CARTPOLE, quick_config(), *from_bytes(to_bytes(one.incumbent, one.card), LAYOUT))
        trainer = learner.candidate.trainer
        with pytest.raises(ModelRefused):
            learner.go_on(other)
        assert learner.candidate.trainer is trainer and learner.rounds == 0
    with pytest.raises(ModelRefused):
        progress_of(progress_bytes(progress, LAYOUT), FeatureLayout(GO1))
