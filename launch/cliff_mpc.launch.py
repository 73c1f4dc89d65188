"""A cart climbs a hill towards a cliff. Its arguments are those of run.launch.py."""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.substitutions import LaunchConfiguration

RUN = "cliff_mpc"


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "config", default_value=RUN, description="run in config/, or a path to a file of your own"
            ),
            IncludeLaunchDescription(
                str(Path(__file__).with_name("run.launch.py")),
                launch_arguments=[("config", LaunchConfiguration("config"))],
            ),
        ]
    )
