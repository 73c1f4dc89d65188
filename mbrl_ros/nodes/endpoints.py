"""What the middleware says of publishers: which one sent a message, and which nodes they belong to."""

from __future__ import annotations

NAMELESS = "_NODE_NAMESPACE_UNKNOWN_/_NODE_NAME_UNKNOWN_"  # until the node has introduced itself

Gid = bytes


def gid_of(info) -> Gid | None:
    """Of a message's publisher. The rclpy of Jazzy does not say it."""
    gid = info.get("publisher_gid")
    return None if gid is None else bytes(gid["data"])


def publishers_of(node, topic: str) -> dict[Gid, str]:
    """All that the middleware lists, each with the full name of its node."""
    return {
        bytes(found.endpoint_gid): f"{found.node_namespace.rstrip('/')}/{found.node_name}"
        for found in node.get_publishers_info_by_topic(topic)
    }


def named(gid: Gid, name: str) -> str:
    return f"{'who gives no name' if name == NAMELESS else name} (gid {gid.hex()})"
