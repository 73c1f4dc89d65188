"""mbrl-lib's own PETS on its own cartpole, by its own example settings: a script for a Python that has mbrl-lib.

It is run by that Python as a file, since mbrl-lib wants other versions of packages than this project, and prints a line
of JSON a trial: what it earned, real steps and seconds so far. Only what its settings leave open is set here: the seed,
one thread of the CPU in place of a GPU, and CEM's own section, which its wheel lacks.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import hydra
import mbrl
import numpy as np
import torch
from mbrl.algorithms import pets
from mbrl.util.env import EnvHandler
from omegaconf import OmegaConf

OPTIMISER = {
    "_target_": "mbrl.planning.CEMOptimizer",
    "num_iterations": "${overrides.cem_num_iters}",
    "elite_ratio": "${overrides.cem_elite_ratio}",
    "population_size": "${overrides.cem_population_size}",
    "alpha": "${overrides.cem_alpha}",
    "clipped_normal": "${overrides.cem_clipped_normal}",
    "return_mean_elites": True,
    "lower_bound": "???",
    "upper_bound": "???",
    "device": "${device}",
}
SECTIONS = {  # of the settings, and their files in the examples
    "algorithm": "algorithm/pets",
    "dynamics_model": "dynamics_model/gaussian_mlp_ensemble",
    "overrides": "overrides/pets_cartpole",
}


class Enough(Exception):
    """As many trials as were asked for."""


class Told:
    """The environment, saying what each trial earned."""

    def __init__(self, environment, explored: int, trials: int, good: float):
        self._environment, self._explored, self._trials, self._good = environment, explored, trials, good
        self.steps, self._earned, self._planned = 0, 0.0, 0
        self._began, self._processor = time.monotonic(), time.process_time()

    def __getattr__(self, name: str):
        return getattr(self._environment, name)

    def reset(self, *given, **named):
        self._earned = 0.0
        self._first = self.steps
        return self._environment.reset(*given, **named)

    def step(self, action):
        outcome = self._environment.step(action)
        self.steps += 1
        self._earned += float(outcome[1])
        if outcome[2] or outcome[3] or self.steps == self._explored:
            self._tell()
        return outcome

    def _tell(self) -> None:
        explored = self._first < self._explored
        trial = {
            "earned": self._earned,
            "steps": self.steps,
            "seconds": time.monotonic() - self._began,
            "processor": time.process_time() - self._processor,
            "explored": explored,
        }
        print(json.dumps(trial), flush=True)
        self._planned += not explored
        if self._planned == self._trials or (not explored and self._earned >= self._good):
            raise Enough


def settings(seed: int, overridden: list[str]):
    examples = Path(mbrl.__file__).parent / "examples" / "conf"
    parts = {name: OmegaConf.load(examples / f"{file}.yaml") for name, file in SECTIONS.items()}
    own = {"seed": seed, "device": "cpu", "debug_mode": False, "experiment": "default", "log_frequency_agent": 1000}
    config = OmegaConf.merge(own, parts, {"action_optimizer": OPTIMISER})
    if tuple(int(part) for part in hydra.__version__.split(".")[:2]) > (1, 0):  # made for 1.0, which built no sections
        config.dynamics_model._recursive_ = config.algorithm.agent._recursive_ = False
    return OmegaConf.merge(config, OmegaConf.from_dotlist(overridden))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=5, help="that are planned, at most")
    parser.add_argument("--good", type=float, default=200.0, help="earned in a trial, with which it ends")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="other than the example's settings")
    args = parser.parse_args()
    torch.set_num_threads(1)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)
    config = settings(args.seed, args.set)
    environment, terminated, reward = EnvHandler.make_env(config)
    environment.reset(seed=args.seed)
    told = Told(environment, config.algorithm.initial_exploration_steps, args.trials, args.good)
    with tempfile.TemporaryDirectory() as folder:
        try:
            pets.train(told, terminated, reward, config, silent=True, work_dir=folder)
        except Enough:
            return


if __name__ == "__main__":
    main()
