"""Built by `colcon build` and by `pip install .` alike.

`mbrl` goes to bin/. The nodes are files of their own in lib/mbrl_ros, where `ros2 run` and `ros2 launch` look, because
pip puts every console script into bin/, and a command named `planner` has no business on anybody's PATH.
"""

from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

SHARED = ("config", "launch", "models", "sim")

# onnxruntime with CUDA where it has a wheel, the plain one elsewhere
CUDA = "platform_system == 'Linux' and platform_machine == 'x86_64'"
NO_CUDA = "platform_system != 'Linux' or platform_machine != 'x86_64'"


def shared_files() -> list[tuple[str, list[str]]]:
    """Every file below the shared folders, each folder kept as it is under share/mbrl_ros."""
    folders: dict[str, list[str]] = {}
    for top in SHARED:
        for path in sorted(Path(top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                folders.setdefault(f"share/mbrl_ros/{path.parent.as_posix()}", []).append(path.as_posix())
    return list(folders.items())


# A library without Python in it, loaded by dynamics/native.py. Which instructions it uses, it decides where it runs.
ROLLOUT = Extension(
    "mbrl_ros.dynamics._rollout",
    sources=["mbrl_ros/dynamics/rollout.c", "mbrl_ros/dynamics/adjoint.c"],
    depends=["mbrl_ros/widest.h"],
    extra_compile_args=["-std=gnu11", "-O3", "-fno-trapping-math", "-fvisibility=hidden"],
    libraries=["m"],
    optional=True,
)
# Likewise, loaded by robots/gait_native.py.
GAIT = Extension(
    "mbrl_ros.robots._gait",
    sources=["mbrl_ros/robots/gait.c"],
    depends=["mbrl_ros/widest.h"],
    extra_compile_args=["-std=gnu11", "-O3", "-fno-trapping-math", "-fno-math-errno", "-fvisibility=hidden"],
    libraries=["m"],
    optional=True,
)


class BuildOrDoWithout(build_ext):
    """Where there is no compiler, torch does the same, only slower."""

    def build_extension(self, extension: Extension) -> None:
        try:
            super().build_extension(extension)
        except (BaseError, CCompilerError) as error:
            source = extension.sources[0]
            print(f"{source} is not compiled: {error}. Plans are computed by torch, two to three times slower.")
            raise  # setuptools goes on without what is optional


setup(
    name="mbrl_ros",
    version="0.1.0",
    description="Learns a robot's dynamics while the robot runs, plans through them at control rate, keeps it safe.",
    long_description=Path(__file__).resolve().with_name("README.md").read_text(),  # seen through colcon's symlink too
    long_description_content_type="text/markdown",
    author="the mbrl_ros authors",
    license="Apache-2.0",
    packages=find_packages(include=["mbrl_ros", "mbrl_ros.*"]),
    ext_modules=[ROLLOUT, GAIT],
    cmdclass={"build_ext": BuildOrDoWithout},
    python_requires=">=3.11",
    install_requires=[
        "numpy>=1.26",
        "torch>=2.4",
        "mujoco>=3.2",
        "pyyaml>=6",
        "safetensors>=0.4",
        "mcap>=1.6",
        "zstandard>=0.22",  # inside MCAP
        "rich>=13",
        "matplotlib>=3.6",
        "onnx>=1.16",  # writes policies, and reads what planners take from them
        f"onnxruntime-gpu>=1.18; {CUDA}",
        f"onnxruntime>=1.18; {NO_CUDA}",
    ],
    extras_require={
        # Only where there is no ROS 2 installation to take them from.
        "ros": [
            "ros-rclpy[fastrtps]",
            "ros-diagnostic-msgs",
            "ros-geometry-msgs",
            "ros-lifecycle-msgs",
            "ros-nav-msgs",
            "ros-rosgraph-msgs",
            "ros-sensor-msgs",
            "ros-std-msgs",
            "ros-std-srvs",
            "ros-trajectory-msgs",
            "ros-visualization-msgs",
        ],
        # What `mbrl bench plan` is compared with; without it everything else is measured.
        "bench": ["pytorch_mppi>=0.9"],
        # Tasks of others as environments, backends/gym.py; without it the own ones are there.
        "gym": ["gymnasium>=1.0", "dm_control>=1.0.50"],
        "test": ["pytest>=8", "pytest-xdist>=3.6", "hypothesis>=6.100", "ruff>=0.6", "setuptools>=68"],
    },
    entry_points={"console_scripts": ["mbrl = mbrl_ros.cli:main"]},
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/mbrl_ros"]),
        ("share/mbrl_ros", ["package.xml"]),
        *shared_files(),
        ("lib/mbrl_ros", sorted(path.as_posix() for path in Path("scripts").iterdir())),
    ],
    zip_safe=False,
)
