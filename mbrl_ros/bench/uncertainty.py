"""`mbrl bench uncertainty`: what treatments of uncertainty are for, and whether models know how sure they are."""

from __future__ import annotations

from mbrl_ros.bench import uncertainty_cartpole, uncertainty_cliff, uncertainty_reliability
from mbrl_ros.bench.experiments import Bar, Experiment
from mbrl_ros.bench.uncertainty_picture import plot_calibration

EXPERIMENTS: dict[str, Experiment] = {
    "cliff": uncertainty_cliff.cliff,
    "cliff_priors": uncertainty_cliff.priors,
    "cartpole_poor": uncertainty_cartpole.poor,
    "cartpole_alike": uncertainty_cartpole.alike,
    "reliability": uncertainty_reliability.reliability,
}
BARS = {  # by how a figure's name begins
    "cliff: walks off, naive, early data": Bar(low=0.8),
    "cliff: walks off, naive, its own data": Bar(high=0.05),
    "cliff: walks off, pessimism": Bar(high=0.05),
    "reliability: coverage off, where data was": Bar(high=0.05),
    "reliability: AUROC": Bar(low=0.9),
}
YES_OR_NO = ("cliff: walks off", "poor cartpole: fails")
SEEDS = {"cliff": 20, "cliff_priors": 20, "cartpole_poor": 20, "cartpole_alike": 20}
PICTURES = {"calibration": plot_calibration}
