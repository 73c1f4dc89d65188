"""A policy learns from the planner, in the model."""
