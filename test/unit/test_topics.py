"""The table of topics and services."""

from pathlib import Path

from mbrl_ros.nodes import topics
from mbrl_ros.robots.spec import load_robot


def test_no_name_is_listed_twice_but_the_stamped_cmd_vel():
    names = [topic.name for topic in topics.TOPICS if topic is not topics.CMD_VEL_STAMPED]
    assert len(set(names)) == len(names)


def test_every_name_but_the_clock_is_relative():
    names = [entry.name for entry in (*topics.TOPICS, *topics.SERVICES)]
    assert [name for name in names if name.startswith("/")] == ["/clock"]


def test_every_quality_of_service_is_known():
    assert {topic.qos for topic in topics.TOPICS} <= set(topics.QOS)


def test_documentation_lists_every_topic_and_service_with_its_type():
    table = topics.markdown_table()
    for entry in (*topics.TOPICS, *topics.SERVICES):
        assert f"| `{entry.name}` | " in table
    assert "| `joint_states` | sensor_msgs/msg/JointState | sensor data |" in table
    assert "| `set_pause` | std_srvs/srv/SetBool | bridge |" in table


def test_command_topic_comes_from_the_robot_file():
    assert topics.commands(load_robot("cartpole")).name == "joint_group_effort_controller/commands"


def test_every_topic_defined_is_in_the_table():
    defined = {entry for entry in vars(topics).values() if isinstance(entry, topics.Topic)}
    assert defined == set(topics.TOPICS)


def test_the_printed_document_is_current():
    printed = (Path(__file__).parents[2] / "docs" / "topics.md").read_text()
    assert printed == topics.document(), "run: python -m mbrl_ros.nodes.topics > docs/topics.md"
