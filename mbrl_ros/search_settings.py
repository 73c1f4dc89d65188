"""What each planner can be set to: a frozen dataclass each, which are the sections of planner.* in a run file.

A section has the settings that its planner reads and no others, so it is made of groups.
"""

from __future__ import annotations

from dataclasses import dataclass

from mbrl_ros.config import setting


@dataclass(frozen=True)
class SearchConfig:
    """What all planners share."""

    horizon: int = setting(20, "steps planned ahead", low=2, high=200, live=True)
    terminal_value: bool = setting(False, "what comes after the horizon is worth what the policy's file says")
    tail: float = setting(
        1.0, "share of the last step that a shifted plan keeps; the rest is the prior", low=0.0, high=1.0
    )

    @property
    def guided(self) -> tuple[str, ...]:
        """The settings by which plans listen to a policy; `proposals` is each planner's own."""
        share = "proposals" if self.proposals is True else f"proposals {self.proposals:g}"
        asked = {"terminal_value": self.terminal_value, share: self.proposals > 0}
        return tuple(name for name, wanted in asked.items() if wanted)


@dataclass(frozen=True)
class Counted:
    """Of planners that can make do with fewer rollouts."""

    samples: int = setting(400, "rollouts in all, shared among the members", low=10, high=20000, live=True)
    anytime: bool = setting(True, "fewer rollouts where plans with `samples` of them come too late; not in lockstep")
    budget: float = setting(0.6, "share of a step within which a plan is quick enough for more", low=0.01, high=0.9)


@dataclass(frozen=True)
class Drawn:
    """Of planners whose candidates are noise around a plan."""

    iterations: int = setting(1, "refinements of one plan, each with all samples", low=1, high=200)
    noise: float = setting(1.0, "times the action map's own noise scale", low=0.0, high=10.0, live=True)
    proposals: float = setting(0.0, "share of the candidates that a policy proposes", low=0.0, high=0.9)


@dataclass(frozen=True)
class Knotted:
    """Of planners whose noise is made at knots."""

    knot_steps: int = setting(5, "noise is linear between knots this many steps apart", low=1, high=200)


@dataclass(frozen=True)
class ShootingConfig(SearchConfig, Counted, Drawn, Knotted):
    """Random shooting: the best of all candidates, or their mean."""

    choice: str = setting("hard", "hard: the best candidate; soft: the softmax mean", choices=("hard", "soft"))
    temperature: float = setting(1.0, "of the softmax, in standard deviations of the returns", low=0.001, high=100.0)


@dataclass(frozen=True)
class MppiConfig(SearchConfig, Counted, Drawn, Knotted):
    """Model-predictive path integral control."""

    temperature: float = setting(
        0.02, "times the distance from the best return to the median", low=0.001, high=100.0, live=True
    )
    polish: int = setting(0, "steps up the gradient of the learned model, from the plan on", low=0, high=10, live=True)


@dataclass(frozen=True)
class CemConfig(SearchConfig, Counted, Drawn, Knotted):
    """The cross-entropy method: a normal distribution fitted to the best candidates, again and again."""

    iterations: int = setting(4, "fits of the distribution, each with all samples", low=1, high=200)
    elites: float = setting(0.1, "share of the candidates that it is fitted to", low=0.01, high=1.0)
    momentum: float = setting(0.1, "share of mean and spread that is kept from the fit before", low=0.0, high=0.99)
    least: float = setting(0.05, "times the first spread, below which no spread falls", low=0.0, high=1.0)


@dataclass(frozen=True)
class IcemConfig(SearchConfig, Counted, Drawn):
    """CEM with coloured noise, and elites that are kept from fit to fit and from plan to plan."""

    iterations: int = setting(3, "fits of the distribution, each with all samples", low=1, high=200)
    elites: float = setting(0.1, "share of the candidates that it is fitted to", low=0.01, high=1.0)
    kept: float = setting(0.3, "share of the elites that are candidates again", low=0.0, high=1.0)
    momentum: float = setting(0.1, "share of mean and spread that is kept from the fit before", low=0.0, high=0.99)
    least: float = setting(0.05, "times the first spread, below which no spread falls", low=0.0, high=1.0)
    colour: float = setting(2.5, "exponent of the noise's power spectrum; 0: white, 2: red", low=0.0, high=6.0)


@dataclass(frozen=True)
class GradientConfig(SearchConfig, Knotted):
    """Ascent through the model, from several starts at once."""

    iterations: int = setting(20, "steps of Adam", low=1, high=200)
    restarts: int = setting(4, "plans that climb side by side; the first two from the warm start and the prior", 1, 100)
    rate: float = setting(0.6, "length of a first step, times the action map's noise scale", low=0.001, high=10.0)
    noise: float = setting(1.0, "of starts and steps, times the action map's own noise scale", 0.0, 10.0, live=True)
    proposals: bool = setting(False, "the third start is what a policy proposes")

    @property
    def samples(self) -> int:
        """Plans that climb side by side: no rollouts that others could be shared out of."""
        return self.restarts


@dataclass(frozen=True)
class MctsConfig(SearchConfig, Counted):
    """Tree search among discrete decisions."""

    knot_steps: int = setting(2, "steps for which a choice is held on average, where chance plays", low=1, high=200)
    batch: int = setting(32, "simulations that one call of the model plays", low=1, high=1000)
    rule: str = setting("uct", "how a branch is chosen: by visits alone, or by priors, too", choices=("uct", "puct"))
    exploration: float = setting(0.7, "of the rule, where what branches are worth spans 1", 0.0, 100.0, live=True)
    worth: str = setting("best", "of a branch: the best return through it, or the mean", choices=("best", "mean"))
    simulation: str = setting(
        "greedy",
        "what plays on from a leaf: even chances, the priors, or what brings most at once after a while of chance",
        choices=("random", "priors", "greedy"),
    )
    follow: float = setting(0.5, "share of the simulations that go on as the best one before them", 0.0, 1.0)
    trust: float = setting(0.7, "share of the priors that is near the plan before; the rest is even", 0.0, 1.0)
    proposals: bool = setting(False, "the priors are near what a policy proposes, not near the plan before")
    levels: int = setting(3, "values a decision, where the action map names no discrete ones", low=2, high=21)
