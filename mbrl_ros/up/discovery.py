"""Who finds whom: the environment that the processes of a run start with.

Unless their user says otherwise, they are found on this host alone, and talk over its loopback interface.

Not through shared memory, which Fast DDS would add by itself: when a process joins the graph (rviz, an echo, a learner
that starts again), every other one opens its port, and where that port has been idle so far, Fast DDS sleeps a third of
a second in a thread that others wait for. In 14 such joins in mid-walk, at real-time priority, the bridge heard no
command for 250 to 290 ms four times, and damped; over the loopback interface never, at the same latency and load.
Other nodes on the host need not know: they have both transports, and take the one that there is.
"""

from __future__ import annotations

import os

from mbrl_ros.paths import share

RANGE, PROFILES = "ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTDDS_DEFAULT_PROFILES_FILE"
THEIR_WORD = (RANGE, "ROS_STATIC_PEERS", "ROS_LOCALHOST_ONLY", PROFILES, "FASTRTPS_DEFAULT_PROFILES_FILE")
GRAPH = ("ROS_DOMAIN_ID", "RMW_IMPLEMENTATION", *THEIR_WORD)  # what a process started by hand needs to join


def open_to_the_network() -> None:
    """As ROS has it by itself: who is on the same network may join. Whoever has said otherwise is not overruled."""
    if not any(name in os.environ for name in THEIR_WORD):
        os.environ[RANGE] = "SUBNET"


def environment() -> dict[str, str]:
    """The user's own, with what it leaves open about who finds whom."""
    if os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp").startswith("rmw_fastrtps"):
        loopback = share() / "config" / "loopback.xml"
        if loopback.is_file() and not any(name in os.environ for name in THEIR_WORD):
            # Any other range would make rmw_fastrtps choose transports of its own.
            return {**os.environ, RANGE: "SYSTEM_DEFAULT", PROFILES: str(loopback)}
    return {RANGE: "LOCALHOST", **os.environ}
