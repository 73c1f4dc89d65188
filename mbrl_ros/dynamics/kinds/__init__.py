"""Kinds of dynamics models, one module each; `mbrl_ros.known.MODELS` names them.

A module has Config, new(config, sizes, seed) and loss(model, states, actions, step); dynamics/fitting.py fits them all.
Where they are not as for most, it says so: SINGLE_STEPS, its loss knows nothing of windows; RATE, of learning, where
that of FitConfig is not for it; check(spec), ConfigError where it does not go with a robot; STANDS_ON, the module of
what is fitted first, on which on_top(config, fitted, seed) then builds.

A model is a frozen record of tensors, tuples of them and such records, and of what its Config says. It has `members`,
`networks` (that each get their own data), `parameters`, a `normaliser`, and rollout(states (M, B, S), actions
(M, B, H, A)) -> (M, B, H, S) in physical units, and, where a gradient goes through it, differentiable_rollout likewise.
One that draws has the `generator` of that; where members say different things though they are of one network,
`opinions` is how many.
"""
