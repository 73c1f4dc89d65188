"""From samples to transitions to training batches."""
