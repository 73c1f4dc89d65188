"""Transitions in, model versions out."""
