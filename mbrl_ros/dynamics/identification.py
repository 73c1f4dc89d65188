"""What is unknown of a robot in MuJoCo, found in how it moved: load, friction, strength of its motors, delay.

Many robots that differ in it are rolled out at once from the states that were measured, told what was told then, and
compared with what came of it. The cross-entropy method narrows the range down:

    error(theta) = mean over windows, steps and features of rho((s - s^_theta) / size)       rho: smooth L1

`size` is how far off the robot is for whom nothing has changed (median of absolute errors, a feature), so that
features count by how well physics predicts them at all, and a misjudged contact counts no more than linearly.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import mujoco
import mujoco.rollout
import numpy as np

from mbrl_ros.config import ConfigError, setting
from mbrl_ros.dynamics.physics import PhysicsModel
from mbrl_ros.robots.mjcf import addresses, physics_steps
from mbrl_ros.robots.spec import RobotSpec

ALONG = 0.7  # of the elites' covariance; the rest of its diagonal
BASE = 1  # MuJoCo's number of the body next to the world


@dataclass(frozen=True)
class Unknown:
    """A number in a range; `nominal` is what the robot file says."""

    low: float
    high: float
    nominal: float


UNKNOWNS = {
    "payload": Unknown(-2.0, 8.0, 0.0),  # kg on the base
    "friction": Unknown(0.2, 2.0, 1.0),  # times that of every surface
    "motor_gain": Unknown(0.5, 1.5, 1.0),  # times the servos' gains
    "delay": Unknown(0.0, 0.02, 0.0),  # s from a target to its effect
}


@dataclass(frozen=True)
class SearchConfig:
    """The cross-entropy method over constants."""

    candidates: int = setting(12, "robots a round", low=4)
    elites: int = setting(4, "of which the next round is drawn", low=2)
    rounds: int = setting(6, "of narrowing down", low=1)
    windows: int = setting(50, "stretches of the recording, spread over it", low=1)
    smooth: int = setting(3, "steps to either side over which the noise of a start is smoothed", low=0, high=20)
    steps: int = setting(15, "of each; in shorter ones the noise of the start outweighs what follows", low=1)


@dataclass(frozen=True)
class Identified:
    """Mean and standard deviation of the last elites, and the error before and after."""

    values: dict[str, float]
    spread: dict[str, float]
    error_nominal: float
    error: float


def identified(
    spec: RobotSpec,
    states: np.ndarray,
    actions: np.ndarray,
    names: Sequence[str],
    config: SearchConfig,
    seed: int = 0,
    threads: int = 1,
) -> Identified:
    """Recorded runs, states (R, T + 1, S) features and targets (R, T, A) -> the unknowns of these names."""
    if unheard := [name for name in names if name not in UNKNOWNS]:
        raise ConfigError(f"no unknown {unheard[0]!r}. Known: {', '.join(UNKNOWNS)}")
    unknowns = [UNKNOWNS[name] for name in names]
    errors = _Errors(spec, *_stretches(states, actions, config), threads)
    nominal = errors({}, np.array([[]]))[0]
    low, high = np.array([(u.low, u.high) for u in unknowns]).T
    generator = np.random.default_rng(seed)
    mean, sigma, best = narrowed(lambda rows: errors(names, rows), low, high, config, generator)
    values, spread = (dict(zip(names, map(float, row), strict=True)) for row in (mean, sigma))
    return Identified(values, spread, float(nominal), float(best))


def narrowed(
    errors: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray, config: SearchConfig, generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean and spread (P,) of the candidates (n, P) with the least `errors` (n,), and the least of them.

    A heavier robot with stronger motors moves nearly the same, and such a valley must be followed: candidates are drawn
    along where the elites have gone from the mean before, with their covariance around it.
    """
    size, best = high - low, np.inf
    mean, spread = np.full(len(low), 0.5), np.eye(len(low)) / 9  # in shares of the range
    for _ in range(config.rounds):
        drawn = generator.standard_normal((config.candidates, len(low))) @ np.linalg.cholesky(spread).T
        shares = np.clip(mean + drawn, 0.0, 1.0)
        found = np.nan_to_num(errors(low + size * shares), nan=np.inf)
        elite = shares[np.argsort(found, kind="stable")[: config.elites]]
        moved, mean, best = elite - mean, elite.mean(0), min(best, float(found.min()))
        along = moved.T @ moved / len(elite)
        spread = ALONG * along + (1 - ALONG) * np.diag(along.diagonal()) + 1e-8 * np.eye(len(low))
    return low + size * mean, size * elite.std(0), best


def changed(model: mujoco.MjModel, values: Mapping[str, float]) -> mujoco.MjModel:
    """A copy of the compiled robot with these unknowns; `delay` is none of its own."""
    other = copy.deepcopy(model)
    other.body_mass[BASE] += values.get("payload", 0.0)
    other.geom_friction[:, 0] *= values.get("friction", 1.0)
    gain = values.get("motor_gain", 1.0)
    other.actuator_gainprm[:, 0] *= gain
    other.actuator_biasprm[:, :3] *= gain
    mujoco.mj_setConst(other, mujoco.MjData(other))
    return other


class _Errors:
    """How far off each of many robots is over the same windows."""

    def __init__(self, spec: RobotSpec, starts: np.ndarray, told: np.ndarray, truth: np.ndarray, threads: int):
        """Starts (W, S), targets (W, 1 + K, A) from one step before, and what came (W, K, S)."""
        self._physics = PhysicsModel(spec, threads)
        model = self._physics.mujoco
        self._steps, self._ctrl = physics_steps(spec, model), addresses(spec, model).ctrl
        self._datas = [mujoco.MjData(model) for _ in range(threads)]
        self._pool = mujoco.rollout.Rollout(nthread=threads)
        self._starts, self._told, self._truth = self._physics.decode(starts.astype(float)), told, truth
        self._size = np.ones(truth.shape[-1])
        off = np.abs(self._rolled({}, np.zeros((1, 0)))[0] - truth)
        self._size = np.maximum(np.median(off, axis=(0, 1)), 1e-3 * self._physics.layout.scales)

    def __call__(self, names: Sequence[str], rows: np.ndarray) -> np.ndarray:
        """Candidates (n, P) -> (n,)"""
        off = np.abs(self._rolled(names, rows) - self._truth) / self._size
        return np.where(off < 1, 0.5 * off**2, off - 0.5).mean((1, 2, 3))

    def _rolled(self, names: Sequence[str], rows: np.ndarray) -> np.ndarray:
        """(n, P) -> features (n, W, K, S)"""
        physics, windows = self._physics, len(self._starts)
        each = [dict(zip(names, row, strict=True)) for row in rows]
        robots = [changed(physics.mujoco, values) for values in each]
        control = np.concatenate([self._delayed(values.get("delay", 0.0)) for values in each])
        path, _ = self._pool.rollout(
            [robot for robot in robots for _ in range(windows)],
            self._datas,
            np.tile(self._starts, (len(rows), 1)),
            control,
        )
        after_each = path[:, self._steps - 1 :: self._steps]
        return physics.encode(after_each).reshape(len(rows), windows, -1, self._truth.shape[-1])

    def _delayed(self, delay: float) -> np.ndarray:
        """(W, K * physics steps, nu): the target of each physics step, as it is in force so much later."""
        late = round(delay / self._physics.mujoco.opt.timestep)
        count = (self._told.shape[1] - 1) * self._steps
        step = (np.arange(count) - late) // self._steps + 1
        control = np.zeros((len(self._told), count, self._physics.mujoco.nu))
        control[:, :, self._ctrl] = self._told[:, np.maximum(step, 0)]
        return control


def _stretches(states: np.ndarray, actions: np.ndarray, config: SearchConfig) -> tuple[np.ndarray, ...]:
    """Starts (W, S), targets (W, 1 + K, A) and what came (W, K, S), spread evenly over all runs."""
    k = config.steps
    places = [(run, t) for run in range(len(actions)) for t in range(1, actions.shape[1] - k + 1)]
    if not places:
        raise ValueError(f"runs of {actions.shape[1]} steps are too short: expected more than {k}")
    chosen = [places[i] for i in np.unique(np.linspace(0, len(places) - 1, config.windows).round().astype(int))]
    smooth = smoothed(states, config.smooth)
    starts = np.stack([smooth[run, t] for run, t in chosen])
    told = np.stack([actions[run, t - 1 : t + k] for run, t in chosen])
    truth = np.stack([states[run, t + 1 : t + k + 1] for run, t in chosen])
    return starts, told, truth


def smoothed(states: np.ndarray, half: int) -> np.ndarray:
    """(R, T, S), each state on the parabola through it and `half` neighbours on either side; the ends as they are.

    A foot that noise puts into the ground is thrown out of it, which looks like a lighter robot.
    """
    if half == 0 or states.shape[1] <= 2 * half:
        return states
    weights = np.linalg.pinv(np.vander(np.arange(-half, half + 1), 3, increasing=True))[0]
    count, inner = states.shape[1] - 2 * half, states.copy()
    inner[:, half:-half] = sum(weight * states[:, k : k + count] for k, weight in enumerate(weights))
    return inner
