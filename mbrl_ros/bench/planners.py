"""`mbrl bench planners`: what each way of planning must show, on robots and on models known and learned."""

from __future__ import annotations

from mbrl_ros.bench import planners_car, planners_policy, planners_rover, planners_search
from mbrl_ros.bench.experiments import Bar, Experiment

EXPERIMENTS: dict[str, Experiment] = {
    "open_loop": planners_search.open_loop,
    "sampling": planners_search.sampling,
    "gradient": planners_search.gradient,
    "gradient_learned": planners_search.gradient_learned,
    "gradient_frugal": planners_search.gradient_frugal,
    "hybrid": planners_policy.hybrid,
    "value": planners_policy.value,
    "limit": planners_car.limit,
    "limit_found": planners_car.limit_found,
    "limit_learned": planners_car.limit_learned,
    "constraints": planners_car.constraints,
    "rover_known": planners_rover.rover_known,
    "rover_learned": planners_rover.rover_learned,
    "rover_strength": planners_rover.rover_strength,
}
MORE = 1e-6  # than nothing
BARS = {  # by how a figure's name begins
    "open loop, ": Bar(low=MORE),
    "beyond shooting, ": Bar(low=MORE),
    "gradient, car, known: return": Bar(low=0.98),
    "gradient, car, learned: return": Bar(low=0.98),
    "gradient, pendulum, learned: return": Bar(low=0.98),
    "gradient, car, known: steps": Bar(high=0.2),
    "gradient, car, learned: steps": Bar(high=0.2),
    "gradient, pendulum, learned: steps": Bar(high=0.2),
    "hybrid, beyond": Bar(low=MORE),
    "value, ": Bar(low=0.95),
    "limit, error, ": Bar(high=0.3),
    "limit, steps off the road, ": Bar(high=0.0),
    "limit, inputs out of bounds, ": Bar(high=0.0),
    "constraints, decisions out of bounds, ": Bar(high=0.0),
    "rover, known motions, mcts": Bar(low=0.95),
    "rover, learned motions, mcts": Bar(low=0.9),
    "strength, ": Bar(low=0.3),
}
SEEDS = {"hybrid": 10, "value": 10}
