"""The faults of the matrix, and what is promised of each. `mbrl chaos --list` prints the table of docs/safety.md."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mbrl_ros.chaos.promises import (
    DAMPS,
    DRIVER_DAMPS,
    ESTOP,
    HOLDS,
    NAMED,
    REFUSED,
    ROLLED_BACK,
    SITS,
    SLOWS,
    WALKS_ON,
    Promise,
)

LOST = 100.0  # ms from a lost plan or state to safety
PRESSED = 20.0  # ms from an estop to damping
FLOWN = 500.0  # ms that a poisoned model may be flown


@dataclass(frozen=True)
class Fault:
    name: str
    what: str
    promise: Promise
    bridge: str = ""  # as its parameter `faults` has it; {joint} is one that the seed chooses
    machine: str = ""  # a name in machine.MACHINE
    presses: bool = False  # the button is pressed again and again
    lockstep: bool = False  # whether it means the same where every step waits for every node
    seconds: float = 1.0  # that it lasts


ON_ITS_FEET = Promise((WALKS_ON, SLOWS, HOLDS))
BUSY = Promise((*ON_ITS_FEET.actions, DRIVER_DAMPS))  # where a fault takes the guard's time, commands may stop a moment
NOTICED = replace(BUSY, detected=True)
HOLDS_FAST = Promise((HOLDS,), safe_ms=LOST, detected=True)
GOES_BLIND = Promise((HOLDS, DAMPS), safe_ms=LOST, detected=True, falls="damped: blind, nothing else is safe")
LIED_TO = Promise((WALKS_ON, SLOWS, HOLDS, DAMPS), falls="what is measured wrong is balanced wrong")
LAME = Promise((WALKS_ON, SLOWS, HOLDS, SITS, DAMPS), falls="a leg does not bear")
UNHEARD = Promise(BUSY.actions, safe_ms=0.0, detected=True, verdicts=(REFUSED,))

_STATE = (
    Fault("state lost", "no joint_states for 0.2 s", HOLDS_FAST, bridge="drop topic=joint_states", seconds=0.2),
    Fault("state lost for long", "no odom for 1 s", GOES_BLIND, bridge="drop topic=odom"),
    Fault("state dropped", "a tenth of imu/data is lost", ON_ITS_FEET, bridge="drop topic=imu/data share=0.1"),
    Fault("state late", "joint_states 20 ms late", ON_ITS_FEET, bridge="delay topic=joint_states size=0.02"),
    Fault("state jitters", "joint_states up to 10 ms late", ON_ITS_FEET, bridge="jitter topic=joint_states size=0.01"),
    Fault("state twice", "half of odom comes twice", ON_ITS_FEET, bridge="duplicate topic=odom share=0.5"),
    Fault("state reordered", "a fifth of joint_states", ON_ITS_FEET, bridge="reorder topic=joint_states share=0.2"),
    Fault("encoders frozen", "angles stand still, stamps go on", GOES_BLIND, bridge="freeze topic=joint_states"),
    Fault("imu frozen", "orientation and rates stand still", GOES_BLIND, bridge="freeze topic=imu/data"),
    Fault("odom frozen", "position and velocity stand still", GOES_BLIND, bridge="freeze topic=odom"),
    Fault(
        "joints not numbers", "joint_states is NaN for 0.2 s", HOLDS_FAST, bridge="nan topic=joint_states", seconds=0.2
    ),
    Fault("imu not numbers", "half of imu/data is NaN", ON_ITS_FEET, bridge="nan topic=imu/data share=0.5"),
    Fault("clock stops", "stamps stand still for 0.2 s", HOLDS_FAST, bridge="clock_stop", seconds=0.2),
    Fault("clock ahead", "stamps jump by 5 s", ON_ITS_FEET, bridge="clock_jump size=5.0"),
    Fault("clock back", "stamps jump by -1 s", ON_ITS_FEET, bridge="clock_jump size=-1.0"),
)
_NUMBERS = (
    Fault("odom biased", "by 0.2 m and m/s", LIED_TO, bridge="bias topic=odom size=0.2", lockstep=True),
    Fault("odom scaled", "by 1.5", LIED_TO, bridge="scale topic=odom size=1.5", lockstep=True),
    Fault("odom jumps", "by 1 m, for a second", ON_ITS_FEET, bridge="odom_jump size=1.0", lockstep=True),
    Fault("imu biased", "rates by 0.3 rad/s", LIED_TO, bridge="imu_bias size=0.3", lockstep=True),
    Fault("imu askew", "orientation by 0.1 rad", LIED_TO, bridge="bias topic=imu/data size=0.1", lockstep=True),
    Fault("encoders biased", "by 0.05 rad", LIED_TO, bridge="bias topic=joint_states size=0.05", lockstep=True),
    Fault(
        "encoder glitches", "one, by 0.5 rad, in a tenth of samples", LIED_TO,
        bridge="encoder_glitch joint={joint} size=0.5 share=0.1", lockstep=True,
    ),
    Fault("joint dead", "one motor without torque", LAME, bridge="joint_dead joint={joint}", lockstep=True),
    Fault("joint weak", "one motor at 60 %", ON_ITS_FEET, bridge="joint_weak joint={joint} size=0.6", lockstep=True),
    Fault("joint stuck", "one joint holds its angle", LAME, bridge="joint_stuck joint={joint}", lockstep=True),
)  # fmt: skip
_COMMANDS = (
    Fault(
        "commands lost", "on their way to the driver, for 0.3 s",
        Promise((DRIVER_DAMPS,), safe_ms=LOST, detected=True, falls="damped by its driver in mid-walk"),
        bridge="drop topic=commands", seconds=0.3,
    ),
    Fault("commands dropped", "a fifth of them", BUSY, bridge="drop topic=commands share=0.2"),
    Fault("commands late", "by 20 ms", BUSY, bridge="delay topic=commands size=0.02"),
    Fault("commands not numbers", "a fifth is NaN at the driver", BUSY, bridge="nan topic=commands share=0.2"),
)  # fmt: skip
_MACHINE = (
    Fault("planner hangs", "SIGSTOP", HOLDS_FAST, machine="planner hangs"),
    Fault("planner killed", "SIGKILL", HOLDS_FAST, machine="planner killed", seconds=2.0),
    Fault(
        "guard hangs", "SIGSTOP for 0.3 s",
        Promise((DRIVER_DAMPS,), safe_ms=LOST, detected=True, falls="damped by its driver in mid-walk"),
        machine="guard hangs", seconds=0.3,
    ),
    Fault("learner hangs", "SIGSTOP", ON_ITS_FEET, machine="learner hangs", seconds=2.0),
    Fault("cores burnt", "a busy process a core", BUSY, machine="cores burnt", seconds=3.0),
    Fault("ten times the traffic", "every state nine times more", BUSY, machine="flood", seconds=3.0),
    Fault("learner killed", "three times in a row", NOTICED, machine="learner killed"),
    Fault(
        "guard killed", "SIGKILL; a person starts another",
        Promise((DRIVER_DAMPS,), safe_ms=LOST, detected=True, falls="damped by its driver until a person comes"),
        machine="guard killed",
    ),
    Fault("out of memory", "the planner's process gets no more", BUSY, machine="out of memory", seconds=2.0),
    Fault("absurd plans", "from another publisher, within limits", UNHEARD, machine="absurd plans", seconds=5.0),
    Fault(
        "huge plans", "from another publisher, 20,000 points, a few a second",
        replace(UNHEARD, actions=ON_ITS_FEET.actions), machine="huge plans", seconds=4.0,
    ),
    Fault("plans not numbers", "from another publisher", UNHEARD, machine="plans that are no numbers", seconds=4.0),
    Fault(
        "foreign commands", "to the driver, within limits",
        Promise((*BUSY.actions, DAMPS), detected=True, verdicts=(NAMED,), falls="a driver obeys whom it hears"),
        machine="commands", seconds=6.0,  # it takes two looks and a subscription until somebody is named
    ),
    Fault(
        "garbage models", "from another publisher",
        replace(NOTICED, verdicts=(REFUSED,)), machine="garbage models", seconds=4.0,
    ),
    Fault("disk full", "no file of the learner can grow", NOTICED, machine="disk full", seconds=4.0),
    Fault(
        "estop under load", "pressed while all cores burn, states come tenfold and the planner hangs",
        Promise((ESTOP,), safe_ms=PRESSED, detected=True, falls="without torque from mid-walk"), presses=True,
    ),
    Fault("model damaged", "the newest file is cut off; the learner restarts", NOTICED, machine="model file damaged"),
    Fault(
        "model poisoned", "weights times 3, in the newest file; the learner restarts",
        Promise(BUSY.actions, safe_ms=FLOWN, detected=True, verdicts=(REFUSED, ROLLED_BACK)),
        machine="model poisoned", seconds=3.0,
    ),
)  # fmt: skip
FAULTS = (*_NUMBERS, *_STATE, *_COMMANDS, *_MACHINE)
