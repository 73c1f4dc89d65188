"""Faults are asked for by a text; what is wrong with it is said, and what was meant."""

from pathlib import Path

import pytest
from fault_line import CARTPOLE, GO1

from mbrl_ros.backends.faults import COMMANDS, JOINT_STATES, KINDS, MOST_FAULTS, Fault, markdown_table, parse
from mbrl_ros.config import ConfigError

JOINT = "FR_calf_joint"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("freze topic=odom", "faults: 'freze' is none of drop, .*, did you mean 'freeze'?"),
        ("freeze topic=imu", "faults: freeze: topic: 'imu' is none of .*, did you mean 'imu/data'?"),
        ("freeze", "faults: freeze: missing topic"),
        ("freeze topic=odom sze=1", "faults: freeze: unknown key 'sze'"),
        ("delay topic=odom sise=1", "faults: delay: unknown key 'sise', did you mean 'size'?"),
        ("freeze topic=odom topic=odom", "faults: freeze: topic stands twice"),
        ("freeze odom", "faults: freeze: expected key=value, got 'odom'"),
        ("delay topic=odom", "faults: delay: missing size"),
        ("delay topic=odom size=fast", "faults: delay: size: expected a number, got 'fast'"),
        ("delay topic=odom size=-1", "faults: delay: size: -1 is outside the range 0.0 .. 10.0"),
        ("bias topic=odom size=nan", "faults: bias: size: nan is not a finite number"),
        ("drop topic=odom share=1.5", "faults: drop: share: 1.5 is outside the range 0.0 .. 1.0"),
        ("drop topic=odom after=-1", "faults: drop: after: -1 is outside the range 0.0 .. 1000000.0"),
        ("joint_dead joint=FR_calf_jont", "faults: joint_dead: joint: .*, did you mean 'FR_calf_joint'?"),
        ("joint_dead", "faults: joint_dead: missing joint"),
        ("nan topic=odom joint=FR_calf_joint", "faults: nan: odom has no joints; joint= goes with joint_states and"),
        ("freeze topic=odom; freze topic=odom", "did you mean 'freeze'?"),
    ],
)
def test_what_is_no_fault_is_refused_with_what_was_meant(text, complaint):
    with pytest.raises(ConfigError, match=complaint.replace("?", r"\?")):
        parse(text, GO1)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("freeze topic=odom", "topic: 'odom' is none of joint_states, commands"),
        ("imu_bias size=1", "faults: imu_bias: robot cartpole has no imu/data"),
        ("joint_dead joint=pole_joint", "'pole_joint' has no motor. Known: cart_joint"),
        ("bias topic=commands joint=pole_joint size=1", "'pole_joint' has no motor"),
    ],
)
def test_a_robot_is_not_given_what_it_does_not_have(text, complaint):
    with pytest.raises(ConfigError, match=complaint):
        parse(text, CARTPOLE)


def test_what_would_stop_robot_time_is_refused_in_lockstep():
    for name, kind in KINDS.items():
        if kind.stops_lockstep:
            keys = " size=0.1" if kind.size else ""
            for topic in kind.topics or ("",):
                text = f"{name}{f' topic={topic}' if topic else ''}{keys}"
                if topic == COMMANDS:
                    assert parse(text, GO1, lockstep=True)
                else:
                    with pytest.raises(ConfigError, match="run without lockstep"):
                        parse(text, GO1, lockstep=True)


def test_no_size_and_no_time_makes_a_number_that_is_none():
    for text in ("scale topic=joint_states size=1e308", "bias topic=odom size=-1e7", "imu_bias size=1e300",
                 "odom_jump size=1e9", f"encoder_glitch joint={JOINT} size=1e200", "clock_jump size=1e7",
                 "freeze topic=odom after=1e308", "freeze topic=odom duration=1e300"):  # fmt: skip
        with pytest.raises(ConfigError, match="outside the range"):
            parse(text, GO1, lockstep=True)
    entry = "scale topic=joint_states size=1e6;"
    assert len(parse(MOST_FAULTS * entry, GO1, lockstep=True)) == MOST_FAULTS
    with pytest.raises(ConfigError, match=f"{MOST_FAULTS} are the most"):
        parse((MOST_FAULTS + 1) * entry, GO1)


def test_entries_are_read_with_their_defaults_and_written_again():
    text = f" nan topic=joint_states joint=all; ; encoder_glitch joint={JOINT} size=0.2 after=1 ;"
    faults = parse(text, GO1)
    assert faults == (
        Fault("nan", topic=JOINT_STATES),
        Fault("encoder_glitch", joint=JOINT, size=0.2, share=0.1, after=1.0),
    )
    assert parse("; ".join(map(str, faults)), GO1) == (faults[0], Fault("encoder_glitch", "", JOINT, 0.2, 0.1))
    assert parse("", GO1) == parse(" ; ", GO1) == ()


def test_documentation_has_the_table_of_faults():
    safety = (Path(__file__).parents[2] / "docs" / "safety.md").read_text()
    assert markdown_table() in safety, "print it anew: python -m mbrl_ros.backends.faults"
