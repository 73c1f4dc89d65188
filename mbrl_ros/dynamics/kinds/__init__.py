"""Kinds of dynamics models, one module each; `mbrl_ros.known.MODELS` names them.

A module has Config, new(config, sizes, seed) and loss(model, states, actions, step); dynamics/fitting.py fits them all.
A model has `members` and rollout(states (M, B, S), actions (M, B, H, A)) -> (M, B, H, S) in physical units, and, where
a gradient goes through it, differentiable_rollout likewise.
"""
