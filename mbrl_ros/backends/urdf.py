"""URDF of a robot from its compiled MuJoCo model: one set of numbers for physics, rviz and robot_state_publisher.

`python -m mbrl_ros.backends.urdf go1_like cartpole` writes sim/<robot>.urdf.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import mujoco
import numpy as np

from mbrl_ros.robots.mjcf import load_model
from mbrl_ros.robots.spec import RobotSpec, load_robot

Geom, JointType = mujoco.mjtGeom, mujoco.mjtJoint


def urdf_text(spec: RobotSpec) -> str:
    """Links are MuJoCo's bodies by name, with mass, inertia and visible shapes; joints are the robot file's.

    A robot without a scene is its base link: what moves in it, nobody has drawn.
    """
    robot = ET.Element("robot", name=spec.name)
    if not spec.scene:
        ET.SubElement(robot, "link", name="base_link")
        return _printed(robot)
    model = load_model(spec)
    bodies = _bodies(model)
    for body in bodies:
        robot.append(_link(model, body))
    for body in bodies:
        if model.body_parentid[body] in bodies:
            robot.append(_joint(spec, model, body))
    return _printed(robot)


def write_urdf(spec: RobotSpec) -> Path:
    spec.urdf_path.write_text(urdf_text(spec))
    return spec.urdf_path


def _printed(robot: ET.Element) -> str:
    ET.indent(robot)
    return ET.tostring(robot, encoding="unicode", xml_declaration=True) + "\n"


def _bodies(model: mujoco.MjModel) -> list[int]:
    """The robot's bodies: the tree below the world, which must be one."""
    roots = [b for b in range(1, model.nbody) if model.body_parentid[b] == 0]
    if len(roots) != 1:
        names = ", ".join(model.body(b).name for b in roots)
        raise ValueError(f"a URDF has one root link, the scene has {len(roots)} bodies in the world: {names}")
    return [b for b in range(1, model.nbody) if model.body_rootid[b] == roots[0]]


def _link(model: mujoco.MjModel, body: int) -> ET.Element:
    link = ET.Element("link", name=model.body(body).name)
    if model.body_mass[body] > 0:
        inertial = ET.SubElement(link, "inertial")
        _origin(inertial, model.body_ipos[body], model.body_iquat[body])
        ET.SubElement(inertial, "mass", value=_text(model.body_mass[body]))
        ixx, iyy, izz = (_text(i) for i in model.body_inertia[body])
        ET.SubElement(inertial, "inertia", ixx=ixx, iyy=iyy, izz=izz, ixy="0", ixz="0", iyz="0")
    first = model.body_geomadr[body]
    for geom in range(first, first + model.body_geomnum[body]):
        for shape, attributes, offset in _shapes(model, geom):
            visual = ET.SubElement(link, "visual")
            _origin(visual, model.geom_pos[geom] + _turned(model.geom_quat[geom], offset), model.geom_quat[geom])
            ET.SubElement(ET.SubElement(visual, "geometry"), shape, attributes)
            material = ET.SubElement(visual, "material", name=_material(model, geom))
            ET.SubElement(material, "color", rgba=_text(_colour(model, geom).round(3)))
    return link


def _joint(spec: RobotSpec, model: mujoco.MjModel, body: int) -> ET.Element:
    parent = model.body(model.body_parentid[body]).name
    child = model.body(body).name
    if model.body_jntnum[body] == 0:
        joint = ET.Element("joint", name=f"{child}_fixed", type="fixed")
    else:
        number = model.body_jntadr[body]
        name = model.joint(number).name
        if model.body_jntnum[body] != 1 or np.any(model.jnt_pos[number]):
            raise ValueError(f"body {child}: a URDF takes one joint a link, at the link's origin")
        slides = model.jnt_type[number] == JointType.mjJNT_SLIDE
        limited = bool(model.jnt_limited[number])
        kind = "prismatic" if slides else "revolute" if limited else "continuous"
        joint = ET.Element("joint", name=name, type=kind)
        ET.SubElement(joint, "axis", xyz=_text(model.jnt_axis[number]))
        own = spec.joints[spec.joint_names.index(name)]
        limit = {"effort": _text(own.effort), "velocity": _text(own.velocity)}
        if limited:
            limit["lower"], limit["upper"] = (_text(r) for r in model.jnt_range[number])
        ET.SubElement(joint, "limit", limit)
    _origin(joint, model.body_pos[body], model.body_quat[body])
    ET.SubElement(joint, "parent", link=parent)
    ET.SubElement(joint, "child", link=child)
    return joint


def _shapes(model: mujoco.MjModel, geom: int) -> list[tuple[str, dict, np.ndarray]]:
    """(URDF shape, its attributes, offset in the geom's frame); a capsule is a cylinder with two balls."""
    kind = model.geom_type[geom]
    radius, half = model.geom_size[geom, 0], model.geom_size[geom, 1]
    ball = ("sphere", {"radius": _text(radius)})
    middle = np.zeros(3)
    if kind == Geom.mjGEOM_BOX:
        return [("box", {"size": _text(2 * model.geom_size[geom])}, middle)]
    if kind == Geom.mjGEOM_SPHERE:
        return [(*ball, middle)]
    cylinder = ("cylinder", {"radius": _text(radius), "length": _text(2 * half)}, middle)
    if kind == Geom.mjGEOM_CYLINDER:
        return [cylinder]
    if kind == Geom.mjGEOM_CAPSULE:
        end = np.array([0.0, 0.0, half])
        return [cylinder, (*ball, end), (*ball, -end)]
    raise ValueError(f"geom {geom} of body {model.body(model.geom_bodyid[geom]).name} is no box, sphere or capsule")


def _colour(model: mujoco.MjModel, geom: int) -> np.ndarray:
    material = model.geom_matid[geom]
    return model.mat_rgba[material] if material >= 0 else model.geom_rgba[geom]


def _material(model: mujoco.MjModel, geom: int) -> str:
    material = model.geom_matid[geom]
    return model.mat(material).name if material >= 0 else f"geom_{geom}"


def _origin(element: ET.Element, position: np.ndarray, quat_wxyz: np.ndarray) -> None:
    ET.SubElement(element, "origin", xyz=_text(position), rpy=_text(roll_pitch_yaw(quat_wxyz)))


def roll_pitch_yaw(quat_wxyz: np.ndarray) -> np.ndarray:
    """(3,) rad: turn about fixed x, then y, then z, as URDF has it."""
    w, x, y, z = quat_wxyz
    sine = float(np.clip(2 * (w * y - z * x), -1.0, 1.0))
    if abs(sine) > 1 - 1e-9:  # straight up or down, roll and yaw are one: call it roll
        return np.array([2 * math.atan2(x, w), math.copysign(math.pi / 2, sine), 0.0])
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return np.array([roll, math.asin(sine), yaw])


def _turned(quat_wxyz: np.ndarray, vector: np.ndarray) -> np.ndarray:
    result = np.empty(3)
    mujoco.mju_rotVecQuat(result, vector, quat_wxyz)
    return result


def _text(numbers) -> str:
    """Seven digits; rounding noise around zero is zero."""
    return " ".join(f"{0.0 if abs(n) < 1e-12 else float(n):.7g}" for n in np.atleast_1d(numbers))


if __name__ == "__main__":
    for robot_name in sys.argv[1:]:
        print(write_urdf(load_robot(robot_name)))
