"""Models of the world. Each offers `members` and `rollout(states (M, B, S), actions (M, B, H, A)) -> (M, B, H, S)`."""
