"""The settings of learning: the model, its training, what is distilled of it, what is practised and kept. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from mbrl_ros.config import section, setting

REPLAYS = ("uniform", "prioritised")


@dataclass(frozen=True)
class EnsembleConfig:
    """The learned dynamics."""

    members: int = setting(5, "networks in the ensemble", low=1, high=50)
    width: int = setting(128, "units a hidden layer", low=4, high=4096)
    layers: int = setting(2, "hidden layers", low=1, high=8)
    prior: float = setting(
        0.1,
        "size of the random function as which each member begins, in features' scales; it is left where no data is",
        low=0.0,
        high=10.0,
    )


@dataclass(frozen=True)
class TrainConfig:
    """One training step."""

    rate: float = setting(1e-3, "learning rate", low=1e-6, high=1.0)
    weight_decay: float = setting(1e-5, "of AdamW", low=0.0)
    batch: int = setting(128, "sequences a member and step", low=1)
    rollout: int = setting(4, "steps that the model is rolled on its own predictions", low=1, high=50)
    mirror: bool = setting(True, "mirror half of each batch left to right")
    turn: bool = setting(False, "turn each sequence of a planar base to a heading drawn at random")
    bootstrap: bool = setting(True, "each member sees its own resampling of the data")
    corrective: int = setting(
        0, "rounds of training on from where the model itself drifts to; of another kind than ensemble", low=0, high=10
    )
    replay: str = setting(
        "uniform", "which windows are drawn: all alike, or more often where errors are", choices=REPLAYS
    )
    priority: float = setting(
        0.6, "prioritised: exponent of a window's error in how often it is drawn", low=0.0, high=2.0
    )
    correction: float = setting(
        0.4,
        "prioritised: exponent of how seldom a window is drawn in how much it counts; 1: no bias",
        low=0.0,
        high=1.0,
    )


@dataclass(frozen=True)
class ValueConfig:
    """How what a policy is worth is learned, beside it: TD(lambda)."""

    discount: float = setting(0.95, "of each further step", low=0.0, high=0.999)
    trace: float = setting(0.9, "lambda: 0 believes the value of the next state, 1 only what was earned", 0.0, 1.0)
    robots: int = setting(200, "driven side by side in the model; a multiple of the ensemble's members", low=1)
    steps: int = setting(25, "of each rollout that count", low=1)
    batches: int = setting(8, "of rollouts in a round of distillation", low=1)
    updates: int = setting(60, "of the network after each", low=1)
    batch: int = setting(256, "states an update", low=1)
    rate: float = setting(1e-3, "of learning", low=1e-6)


@dataclass(frozen=True)
class DistillConfig:
    """How a policy learns from the planner, in the model."""

    samples: int = setting(800, "rollouts of a plan: more than a robot could afford", low=10, high=100_000)
    rounds: int = setting(40, "at most; fewer where five in a row bring nothing", low=1)
    guided_from: int = setting(4, "round from which plans listen to the policy so far; 0: never", low=0)
    guided_horizon: int = setting(5, "steps that those plan ahead, the policy's value stands for the rest", low=2)
    robots: int = setting(40, "driven side by side in a round; a multiple of the ensemble's members", low=1)
    steps: int = setting(25, "that each is driven for", low=1)
    push: float = setting(1.0, "m/s, the hardest push of robots in the model", low=0.0, high=10.0)
    updates: int = setting(1500, "of the network in a round", low=1)
    batch: int = setting(256, "decisions an update", low=1)
    rate: float = setting(1e-3, "of learning, falling to zero in every round", low=1e-6)
    judges: int = setting(200, "robots that say what a policy earns", low=1)
    live: bool = setting(False, "distil while the robot runs, too, and publish each policy that is better", live=True)
    share: float = setting(0.3, "of the learner's time, where training always wants more", low=0.0, high=0.9)
    value: ValueConfig = section(ValueConfig)


@dataclass(frozen=True)
class PracticeConfig:
    """What `mbrl train` has a robot practise: velocities spread evenly, slow at first; or the way to a goal, anew."""

    hold: float = setting(1.0, "s that each is kept", low=0.1, high=60.0)
    ramp: float = setting(15.0, "s from slow ones to the whole range, once there is a model", low=0.1)
    restart: float = setting(0.0, "s after which the robot begins anew; 0: never, it stays at the goal", low=0.0)


@dataclass(frozen=True)
class JournalConfig:
    """Transitions on disk as they come, so that a learner that starts again has them all."""

    enabled: bool = setting(True, "keep one in learner.folder, and go on from it")
    segment_mb: float = setting(16.0, "MB, a larger file is ended and the next one begun", low=0.1, high=10_000.0)
    total_mb: float = setting(256.0, "MB of all files together, the oldest are removed", low=0.2, high=1_000_000.0)
