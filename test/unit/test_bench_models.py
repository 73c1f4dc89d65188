"""Every experiment of `mbrl bench models` runs, with hardly any training."""

import math
import sys
from dataclasses import replace

import pytest

from mbrl_ros.bench import models
from mbrl_ros.bench.models import EXPERIMENTS

LONGER = ("car", "payload", "carried", "constants", "reward")  # tried beside what they measure


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name not in LONGER])
def test_every_experiment_has_finite_figures_with_hardly_any_training(name, monkeypatch):
    module = sys.modules[EXPERIMENTS[name].__module__]
    for setting in ("FIT", "DEAR", "BESIDE"):
        if hasattr(module, setting):
            monkeypatch.setattr(module, setting, replace(getattr(module, setting), steps=4, batch=8))
    monkeypatch.setattr(models.models_modes, "SAMPLES", 3)
    monkeypatch.setattr(models.models_modes, "STEPS", (1, 5))
    figures = EXPERIMENTS[name](0)
    assert figures and all(math.isfinite(value) for value in figures.values())
