"""`mbrl bench models`: what each way of learning the dynamics must show, on worlds whose truth is known."""

from __future__ import annotations

from mbrl_ros.bench import (
    models_beside,
    models_modes,
    models_physics,
    models_quadruped,
    models_reward,
    models_rollouts,
    models_uncertainty,
)
from mbrl_ros.bench.experiments import Bar, Experiment

EXPERIMENTS: dict[str, Experiment] = {
    "noise": models_uncertainty.known_noise,
    "calibration": models_uncertainty.calibration,
    "split": models_uncertainty.growing_data,
    "region": models_uncertainty.held_out_region,
    "rollout": models_rollouts.several_steps,
    "corrective": models_rollouts.corrective_labels,
    "fork": models_modes.both_ways,
    "diffusion": models_modes.few_steps,
    "costs": models_modes.costs,
    "off_by": models_modes.off_by,
    "car": models_physics.car_constants,
    "residual": models_physics.residual_on_top,
    "payload": models_quadruped.payload,
    "carried": models_quadruped.carried,
    "constants": models_quadruped.constants,
    "reward": models_reward.planned_on_it,
    "inverse": models_beside.proposes,
    "action_free": models_beside.warns,
    "interpolation": models_beside.fills_gaps,
    "joint": models_beside.tells_common,
}
BARS = {  # by how a figure's name begins
    "noise:": Bar(high=0.15),
    "calibration:": Bar(high=0.05),
    "ten times the data: epistemic": Bar(high=0.5),
    "ten times the data: aleatoric": Bar(0.8, 1.25),
    "held-out region:": Bar(low=0.9),
    "K = ": Bar(high=1.0),
    "corrective labels, ": Bar(high=1.0),
    "fork: samples in both ways": Bar(low=0.9),
    "fork: samples in either way, l2": Bar(high=0.1),
    "car, 10 s:": Bar(high=0.05),
    "car that understeers: error over 20 steps, ensemble is 1, residual": Bar(high=1.0),
    "car that understeers: error over 20 steps, physics is 1, residual": Bar(high=1.0),
    "car that drives by what was found": Bar(low=0.95),
    "payload of 3 kg": Bar(2.7, 3.3),
    "payload carried: error over 20 steps foreseen": Bar(high=0.9),
    "payload carried: m/s off, without it 1, after 20 s": Bar(high=1.1),
    "changed quadruped: payload": Bar(1.8, 2.2),
    "changed quadruped: motor_gain": Bar(0.8075, 0.8925),
    "changed quadruped: delay": Bar(0.006, 0.01),
    "learned reward:": Bar(low=0.95),
    "learned termination:": Bar(low=0.9),
    "inverse of": Bar(high=0.5),
    "action-free:": Bar(low=0.9),
    "interpolation:": Bar(high=0.5),
    "joint:": Bar(low=0.9),
}
