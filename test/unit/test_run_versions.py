"""What a learner knows of its versions: what may be flown, what was refused, also after it has started again."""

import errno
import os

import pytest
from learning_driver import CARTPOLE, linear_run, quick_config

from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.storage import Card, to_bytes
from mbrl_ros.learning import version_files
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.models import Versions
from mbrl_ros.learning.run_versions import RunVersions
from mbrl_ros.learning.version_files import KEPT, VersionFiles
from mbrl_ros.robots.features import FeatureLayout

LAYOUT = FeatureLayout(CARTPOLE)
MODEL = new_ensemble(quick_config().ensemble, LAYOUT, 0)


def card(version):
    return Card(CARTPOLE.name, CARTPOLE.layout_hash, version, 10.0, 0.5, 0.5)


class Process:
    """One start of a learner, with version 4 as the model of the start."""

    def __init__(self, folder, first=4):
        self.said = []
        self.versions = RunVersions(str(folder), LAYOUT, (MODEL, card(first)) if first else None, self.said.append)
        self.learner = Learner(CARTPOLE, quick_config(), *self.versions.newest)
        self.versions.number(self.learner)
        assert self.versions.begin(self.learner) == {}, "without data"

    def promotes(self, *numbers):
        for number in numbers:
            self.learner.version = number
            content = to_bytes(MODEL, card(number))
            self.versions.promoted(card(number), MODEL, content, self.learner.buffer)
        return self

    def refuses(self, *numbers):
        """Those of ours, and what is gone back to."""
        found = self.versions.refuse(set(numbers), self.learner)
        return found and (sorted(found[0]), found[1] and found[1][1].version)

    @property
    def begins_with(self):
        return self.learner.card and self.learner.card.version


def test_what_is_published_again_after_a_restart_can_be_refused_too(tmp_path):
    Process(tmp_path).promotes(5, 6, 7)
    again = Process(tmp_path)
    assert again.begins_with == 7
    assert again.refuses(7) == ([7], 6)
    assert again.refuses(7, 6) == ([6], 5)
    assert again.refuses(7, 6, 5) == ([5], 4)
    assert again.refuses(7, 6, 5, 4) == ([4], None)
    assert again.refuses(4, 5, 6, 7) is None and again.begins_with is None


def test_a_refusal_survives_a_restart_and_the_number_is_not_used_again(tmp_path):
    Process(tmp_path).promotes(5, 6).refuses(6)
    assert {path.name for path in tmp_path.iterdir()} == {"version_000005.safetensors", "version_000006.refused"}
    again = Process(tmp_path)
    assert (again.begins_with, again.versions.kept[1].version, again.learner.version) == (5, 5, 6)
    assert again.refuses(6) is None
    assert again.refuses(5, 4) == ([4, 5], None)
    last = Process(tmp_path)
    assert (last.begins_with, last.versions.kept, last.learner.version) == (None, None, 6), "nor the model of the start"


def test_what_was_refused_from_disk_by_the_data_stays_so(tmp_path, monkeypatch):
    Process(tmp_path).promotes(5, 6)
    one = RunVersions(str(tmp_path), LAYOUT, None, print)
    learner = Learner(CARTPOLE, quick_config(), *one.newest)
    monkeypatch.setattr(
        "mbrl_ros.learning.beginning._objection", lambda _, kept, *__: "bad" if kept[1].version == 6 else ""
    )
    for t in linear_run(10):
        learner.add(t)
    assert one.begin(learner) == {6: "bad"} and one.kept[1].version == 5
    assert Process(tmp_path).begins_with == 5


def test_without_a_folder_the_newest_that_was_not_refused_is_gone_back_to():
    one = Process("").promotes(5, 6)
    assert one.refuses(5) == ([5], 6)
    assert one.refuses(6) == ([6], 4)


def test_versions_of_somebody_else_are_nothing_to_us(tmp_path):
    assert Process(tmp_path).promotes(5).refuses(1005) is None


def test_a_disk_that_takes_nothing_is_told_and_remembered_as_long_as_the_process_lives(tmp_path, monkeypatch):
    one = Process(tmp_path).promotes(5, 6)

    def full(*_):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(VersionFiles, "refuse", full)
    one.versions._versions.refuse = full
    assert one.refuses(6) == ([6], 5)
    assert "model 6 was refused is forgotten" in one.said[0]
    assert one.refuses(5) == ([5], 4)


# The files


def test_a_save_that_fails_and_one_that_was_killed_leave_nothing_for_ever(tmp_path, monkeypatch):
    versions = VersionFiles(tmp_path, "version", ".safetensors")
    (tmp_path / "version_000001.safetensors.part").write_bytes(b"killed")
    with monkeypatch.context() as m:
        m.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        with pytest.raises(OSError):
            versions.save(2, b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_version_is_on_the_disk_itself_before_it_has_its_name(tmp_path, monkeypatch):
    done, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (done.append(os.readlink(f"/proc/self/fd/{file}")), fsync(file))[1])
    VersionFiles(tmp_path, "version", ".safetensors").save(1, b"x")
    assert [os.path.basename(path) for path in done] == ["version_000001.safetensors.part", tmp_path.name]


def test_a_folder_by_the_name_of_a_version_is_none_and_its_number_is_not_used(tmp_path):
    (tmp_path / "version_000003.safetensors").mkdir()
    versions = Versions(tmp_path, LAYOUT)
    assert (versions.newest(), versions.highest()) == (None, 3)


def test_of_many_refused_ones_the_names_stay(tmp_path):
    files = version_files.VersionFiles(tmp_path, "version", ".safetensors")
    for number in range(1, KEPT + 4):
        files.save(number, b"x")
        files.refuse(number)
    assert files.refused() == set(range(1, KEPT + 4))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == KEPT
