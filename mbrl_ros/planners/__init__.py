"""Planners know one record, the Problem, and offer `plan(config, problem, warm, generator) -> PlanResult | NoPlan`."""
