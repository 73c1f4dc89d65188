"""Continuous tasks of Gymnasium and of dm_control as environments. environments.py makes them by their names.

They come with the extra: `pip install mbrl_ros[gym]`. What a step is worth, only the task's own code knows; it is not
written in batched torch, so who plans in them plans by a learned reward.
"""

from __future__ import annotations

import difflib

import numpy as np

from mbrl_ros.backends.environment import EnvironmentSpec, Outcome
from mbrl_ros.config import ConfigError


class GymnasiumEnvironment:
    """Anything with Gymnasium's reset and step whose observations and actions are rows of numbers."""

    def __init__(self, environment, name: str, seed: int):
        self._environment, self._seed = environment, seed
        observations, actions = environment.observation_space, environment.action_space
        for what, space in (("observations", observations), ("actions", actions)):
            if not hasattr(space, "low") or len(space.shape) != 1:
                raise ConfigError(f"{name}: {what} are {space}: only a row of numbers (a one-dimensional Box) is known")
        self.spec = EnvironmentSpec(
            name=name,
            observation_names=tuple(f"observation {i}" for i in range(observations.shape[0])),
            scales=scales_of(np.array([observations.low, observations.high], float)),
            bounds=np.array([actions.low, actions.high], float),
            dt=_dt_of(environment, name),
            episode_steps=_limit_of(environment),
        )
        self._type = getattr(actions, "dtype", np.float32)

    def reset(self) -> np.ndarray:
        observation, _ = self._environment.reset(seed=self._seed)
        self._seed = None  # the first reset seeds all that follow
        return np.asarray(observation, float)

    def step(self, action: np.ndarray) -> Outcome:
        observation, reward, terminated, truncated, _ = self._environment.step(action.astype(self._type))
        return Outcome(np.asarray(observation, float), float(reward), bool(terminated), bool(truncated))


class DmControlEnvironment:
    """A task of dm_control's suite; its observations in their own order, one after another."""

    def __init__(self, environment, name: str):
        self._environment = environment
        action, seen = environment.action_spec(), environment.observation_spec()
        sizes = {part: int(np.prod(spec.shape)) for part, spec in seen.items()}
        names = tuple(f"{part} {i}" if size > 1 else part for part, size in sizes.items() for i in range(size))
        unbounded = np.array([[-np.inf], [np.inf]]) * np.ones(len(names))
        self.spec = EnvironmentSpec(
            name=name,
            observation_names=names,
            scales=scales_of(unbounded),
            bounds=np.array([np.broadcast_to(b, action.shape) for b in (action.minimum, action.maximum)], float),
            dt=float(environment.control_timestep()),
            episode_steps=2**31,  # it says itself when its time is up
        )

    def reset(self) -> np.ndarray:
        return _row(self._environment.reset().observation)

    def step(self, action: np.ndarray) -> Outcome:
        step = self._environment.step(action)
        ended = step.last()
        return Outcome(
            observation=_row(step.observation),
            reward=float(step.reward or 0.0),
            terminated=ended and step.discount == 0.0,
            truncated=ended and step.discount != 0.0,
        )


def gymnasium_task(name: str, task: str, seed: int) -> GymnasiumEnvironment:
    import gymnasium

    try:
        environment = gymnasium.make(task)
    except gymnasium.error.DependencyNotInstalled as error:
        raise ConfigError(f"{name}: {error}") from error
    except gymnasium.error.Error as error:
        raise ConfigError(f"no environment {name!r}: {error}{_near(task, list(gymnasium.registry))}") from error
    return GymnasiumEnvironment(environment, name, seed)


def dm_control_task(name: str, task: str, seed: int) -> DmControlEnvironment:
    _fit_dm_control_to_this_mujoco()
    from dm_control import suite

    known = ["-".join(both) for both in suite.ALL_TASKS]
    if task not in known:
        raise ConfigError(f"no environment {name!r}{_near(task, known)}. Known: {', '.join(known)}")
    domain, _, kind = task.partition("-")
    return DmControlEnvironment(suite.load(domain, kind, task_kwargs={"random": seed}), name)


def _fit_dm_control_to_this_mujoco() -> None:
    """dm_control 1.0.50 lists arrays of deformable bodies that MuJoCo 4 does not have any more, and stumbles over the
    first. No task of its suite has such bodies: what is not there is taken off the list."""
    import mujoco
    from dm_control.mujoco.wrapper.mjbindings import sizes

    for name, kind in (("mjmodel", mujoco.MjModel), ("mjdata", mujoco.MjData)):
        listed = sizes.array_sizes[name]
        for gone in [array for array in listed if not hasattr(kind, array)]:
            del listed[gone]


def scales_of(bounds: np.ndarray) -> np.ndarray:
    """(2, S) lowest and highest observation -> (S,) half of what lies between; 1 where there is no bound to tell by."""
    low, high = bounds
    known = np.isfinite(low) & np.isfinite(high) & (high - low < 1e6)  # some write the largest float for no bound
    return np.where(known, np.where(known, high - low, 2.0) / 2, 1.0)


def _row(observation) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in observation.values()]).astype(float)


def _dt_of(environment, name: str) -> float:
    """s a step: `dt`, or else a frame of its film."""
    inner = getattr(environment, "unwrapped", environment)
    frames = (getattr(inner, "metadata", None) or {}).get("render_fps")
    dt = getattr(inner, "dt", None) or (1.0 / frames if frames else None)
    if dt is None:
        raise ConfigError(f"{name} does not say how long a step is: it has neither dt nor metadata['render_fps']")
    return float(dt)


def _limit_of(environment) -> int:
    registered = getattr(environment, "spec", None)
    return getattr(registered, "max_episode_steps", None) or 2**31


def _near(asked: str, known: list[str]) -> str:
    near = difflib.get_close_matches(asked, known, n=1)
    return f", did you mean {near[0]!r}?" if near else ""
