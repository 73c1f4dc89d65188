"""Planners by name."""

from mbrl_ros.planners import mppi, prior

PLANNERS = {"mppi": mppi.plan, "prior": prior.plan}
