"""rclpy keeps its own state in attributes of the node; a node that uses the same name breaks it from inside."""

import ast
from pathlib import Path

import pytest
from rclpy.lifecycle import LifecycleNode

NODES = Path(__file__).parents[2] / "mbrl_ros" / "nodes"
MEANT = {"__init__", "on_configure", "on_activate", "on_deactivate", "on_cleanup", "on_shutdown", "on_error"}


@pytest.mark.parametrize("path", sorted(NODES.glob("*.py")), ids=lambda path: path.stem)
def test_no_node_writes_over_an_attribute_of_rclpys(path, probe):
    node = LifecycleNode("any", context=probe.context)
    taken = set(vars(node)) | set(dir(LifecycleNode))
    node.destroy_node()
    written = set()
    for part in ast.walk(ast.parse(path.read_text())):
        if isinstance(part, ast.ClassDef) and any("Node" in ast.unparse(base) for base in part.bases):
            written |= {f.name for f in part.body if isinstance(f, ast.FunctionDef)}
            written |= {
                a.attr for a in ast.walk(part)
                if isinstance(a, ast.Attribute) and isinstance(a.ctx, ast.Store) and ast.unparse(a.value) == "self"
            }  # fmt: skip
    assert written & taken <= MEANT
