"""The experiments that walk: a changed quadruped is walked, looked into and learned, with hardly any of each."""

import math

import numpy as np
import pytest

from mbrl_ros.bench import models_quadruped
from mbrl_ros.dynamics.identification import SearchConfig


@pytest.fixture(autouse=True)
def brief(monkeypatch):
    little = SearchConfig(candidates=2, elites=2, rounds=1, windows=3)
    values = {"SEARCH": little, "WIDER": little, "SECONDS": 0.8, "READY": 1.0, "SETTLING": 1.5, "JUDGED": 2.2}
    values |= {"COMMANDS": ((0.4, 0.0, 0.0),)}
    values |= {"AS_IT_WALKS": {"first_seconds": 1.0, "every_seconds": 0.5, "steps": 2}}
    for name, value in values.items():
        monkeypatch.setattr(models_quadruped, name, value)


def test_a_load_changes_how_the_quadruped_walks():
    (light, told), (heavy, _) = (models_quadruped.walked({"payload": kg}, 0.6, seed=0) for kg in (0.0, 5.0))
    assert light.shape[:2] == (1, told.shape[1] + 1) and told.shape[1] >= 25
    assert np.abs(light[0, 20] - heavy[0, 20]).max() > 0.01


def test_every_unknown_is_looked_for_within_its_range():
    found = models_quadruped.constants(0)
    assert len(found) == 5 and all(math.isfinite(value) for value in found.values())
    assert 0.2 <= found["quadruped on ice: friction, 0.2 in truth"] <= 2.0


def test_the_load_is_carried_with_and_without_learning():
    found = models_quadruped.carried(0)
    assert len(found) == 6 and all(0 < value < math.inf for value in found.values())
