"""What `mbrl doctor` says where something is missing: a verdict and a mend, never a traceback."""

import pytest
import torch

from mbrl_ros.up import doctor


def test_a_renderer_that_cannot_start_is_a_warning_with_its_mend(monkeypatch):
    monkeypatch.setenv("MUJOCO_GL", "nonsense")
    finding = doctor.rendering()
    assert finding.verdict == "warn"
    assert finding.fix


def test_a_missing_gpu_fails_nothing(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert doctor.gpu().verdict == "warn"


@pytest.mark.parametrize("check", [doctor.python, doctor.packages, doctor.cores, doctor.disk])
def test_what_the_tests_themselves_need_does_not_fail(check):
    assert check().verdict in ("ok", "warn")
