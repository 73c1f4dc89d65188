"""A ROS domain of its own: faults are injected where nobody else's robot is."""

from __future__ import annotations

import os
import socket

DISCOVERY_PORT, PORTS_A_DOMAIN = 7400, 250  # as the DDS standard has it
DOMAINS = range(1, 101)


def free_domain() -> int:
    """The number of a domain in which no participant of this host listens."""
    for step in range(len(DOMAINS)):
        number = DOMAINS[(os.getpid() + step) % len(DOMAINS)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", DISCOVERY_PORT + PORTS_A_DOMAIN * number))
            except OSError:
                continue
            return number
    raise RuntimeError("all ROS domains of this machine are in use")
