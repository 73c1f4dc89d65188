"""What every rung of a task gets alike: robot time, gradient steps, network passes a decision, and who judges.

A decision may send `passes` rows through a network, each for the whole horizon. What a planner or a model spends on one
row is counted: iterations of a search, the steps of a diffusion, a gradient as three rows. So the figures of two rungs
are those of the same arithmetic, whatever the machine, and the milliseconds beside them say what that took.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

GRADIENT_PASSES = 3  # forwards, and twice that backwards
RESTARTS = 2  # of the gradient planner


@dataclass(frozen=True)
class Budget:
    """Of one task."""

    run: str  # run file, for robot, task, action map, horizon, noise and costs
    seconds: float  # of robot time to learn from; the first fit of `fits` comes after its share of them
    judged: float  # s of the episode that counts
    passes: int = 600  # rows through a network, a decision
    fits: int = 5  # evenly spaced, each of a new model
    steps: int = 600  # down the gradient, each fit
    batch: int = 64  # windows a member and step
    restart: float = 0.0  # s after which the robot begins anew while it learns; 0: never


BUDGETS = {
    "pendulum": Budget("pendulum_mpc", seconds=45.0, judged=8.0, fits=9),
    "cartpole": Budget("cartpole_mpc", seconds=45.0, judged=8.0, fits=9),
    "car": Budget("car_mpc", seconds=20.0, judged=8.0, fits=5),
    "cliff": Budget("cliff_mpc", seconds=30.0, judged=8.0, fits=6),
    "rover": Budget("rover_mpc", seconds=100.0, judged=15.0, fits=5, steps=1200),
    "hand": Budget("hand_mpc", seconds=120.0, judged=10.0, fits=6, restart=5.0),
    "quadruped": Budget("quadruped_mpc", seconds=0.0, judged=16.0, fits=1, steps=2000),  # data: the shipped keepsake
}
QUICK_DECISIONS = 12  # of the episode


def quick(budget: Budget, dt: float) -> Budget:
    """So little of everything that figures mean nothing."""
    seconds = 40 * dt if budget.seconds else 0.0
    return replace(budget, seconds=seconds, judged=QUICK_DECISIONS * dt, passes=80, fits=2, steps=5, batch=16)


QUICK = {  # rungs by task, so that every name is there once; and some that do not apply, with their reasons
    "pendulum": (
        *(f"planner {name}" for name in ("shooting", "cem", "icem", "mppi", "gradient", "mcts")),
        *("model physics", "model diffusion", "version v3"),
        *("outside pytorch_mppi", "outside torchrl", "outside mbrl-lib PETS"),
    ),
    "cartpole": ("model bayes", "treatment ts1_mean", "version v0", "version v3"),
    "car": ("model physics", "model gaussian", "treatment cvar"),
    "cliff": ("model energy", "treatment pessimism", "treatment optimism", "version v2"),
    "rover": ("model l2", "treatment ts1", "treatment tsinf", "version v1", "version v5"),
    "hand": ("model ensemble",),
    "quadruped": ("treatment expectation", "version v3"),
}
