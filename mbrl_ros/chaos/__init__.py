"""Faults injected into a whole running graph, and whether each promise was kept: `mbrl chaos`. No ROS here."""
