"""Any run: `ros2 launch mbrl_ros run.launch.py config:=NAME_OR_FILE`. Which processes there are, stack.py says."""

from xml.etree import ElementTree

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from mbrl_ros import stack
from mbrl_ros.paths import share
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run
from mbrl_ros.settings import MODES

SWITCH = ("true", "false", "True", "False")

ARGUMENTS = (
    DeclareLaunchArgument("config", description="run in config/, or a path to a parameter file of your own"),
    DeclareLaunchArgument(
        "model", default_value="", description="pretrained, scratch, or a folder; empty: as the run says"
    ),
    DeclareLaunchArgument("mode", default_value="", choices=["", *MODES], description="empty: as the run says"),
    DeclareLaunchArgument(
        "hardware", default_value="false", choices=SWITCH, description="true: a driver runs elsewhere"
    ),
    DeclareLaunchArgument("learner", default_value="true", choices=SWITCH, description="false: plan only"),
    DeclareLaunchArgument(
        "robot", default_value="", description="robot file in config/robots, or a path; empty: as the run"
    ),
    DeclareLaunchArgument("namespace", default_value="", description="of all nodes and topics"),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="",
        choices=["", *SWITCH],
        description="for rviz; ours take robot time from the stamps; empty: true without hardware",
    ),
    DeclareLaunchArgument("rviz", default_value="false", choices=SWITCH, description="show the robot and its plans"),
)


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=nodes)])


def nodes(context) -> list[Node]:
    def text(name: str) -> str:
        return LaunchConfiguration(name).perform(context)

    def switch(name: str) -> bool:
        return text(name).lower() == "true"

    options = stack.Options(
        model=text("model") or None,
        mode=text("mode") or None,
        hardware=switch("hardware"),
        learner=switch("learner"),
        namespace=text("namespace"),
        settings=(f"robot={text('robot')}",) if text("robot") else (),
    )
    run = stack.configured(load_run(text("config")), options)
    found = [node_of(process) for process in stack.processes(run, options, stack.written_down(run))]
    if switch("rviz"):
        simulated = switch("use_sim_time") if text("use_sim_time") else not options.hardware
        found += rviz(run.planner.robot, stack.normalised_namespace(options.namespace), simulated)
    return found


def node_of(process: stack.Process) -> Node:
    return Node(
        package=stack.PACKAGE,
        executable=process.name,
        name=process.name,
        exec_name=process.name,
        namespace=process.namespace,
        parameters=[str(process.parameters)] if process.parameters else [],
        arguments=list(process.arguments),
        ros_arguments=["--enclave", process.enclave],
        additional_env=dict(process.environment),
        prefix=f"nice -n {process.nice}" if process.nice else None,
        respawn=bool(process.restart_after),
        respawn_delay=max(process.restart_after, default=None),
        respawn_max_retries=len(process.restart_after),
        output="screen",
    )


def rviz(robot: str, namespace: str, use_sim_time: bool) -> list[Node]:
    """rviz with our layout, and what turns joint_states into the frames that it draws."""
    urdf = load_robot(robot).urdf_path.read_text()
    model = ElementTree.fromstring(urdf)
    children = {child.get("link") for child in model.iter("child")}
    root_link = next(link.get("name") for link in model.iter("link") if link.get("name") not in children)
    frames_in_namespace = [("/tf", "tf"), ("/tf_static", "tf_static")]
    shared = {"namespace": namespace, "remappings": frames_in_namespace}
    clock = {"use_sim_time": use_sim_time}
    return [
        Node(
            package="robot_state_publisher",
            executable="robot_state_publisher",
            parameters=[{"robot_description": urdf, **clock}],
            **shared,
        ),
        Node(
            package="rviz2",
            executable="rviz2",
            arguments=["-d", str(share() / "config" / "rviz" / "robot.rviz"), "-f", root_link],
            parameters=[clock],
            **shared,
        ),
    ]
