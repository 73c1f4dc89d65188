import json
import math

import pytest

from mbrl_ros.config import ConfigError
from mbrl_ros.control.report import TrackingScore, parse_commands, tracking_report, write_report

DT = 0.02


def drive(score, command, velocity, seconds, start=0.0):
    """Feed `velocity(t)` at 50 Hz; returns the time after the last sample."""
    for k in range(round(seconds / DT)):
        score.add(start + k * DT, command, velocity(k * DT))
    return start + seconds


def test_constant_offset_is_the_error():
    score = TrackingScore()
    drive(score, (0.3, 0.0, 0.5), lambda t: (0.33, 0.04, 0.4), 4.0)
    entry = score.commands()[0]
    assert entry["velocity_error"] == pytest.approx(0.05)
    assert entry["yaw_rate_error"] == pytest.approx(0.1)
    assert entry["reached"] == pytest.approx([0.33, 0.04, 0.4])


def test_sway_within_a_stride_is_no_error():
    score = TrackingScore()
    drive(score, (0.5, 0.0, 0.0), lambda t: (0.5 + 0.3 * math.sin(2 * math.pi * t / 0.44), 0.0, 0.0), 4.0)
    assert score.summary()["velocity_error"] == pytest.approx(0.0, abs=1e-9)


def test_first_seconds_of_each_command_are_not_judged():
    score = TrackingScore()
    end = drive(score, (0.5, 0.0, 0.0), lambda t: (9.0, 9.0, 9.0) if t < 1.49 else (0.5, 0.0, 0.0), 4.0)
    drive(score, (-0.2, 0.0, 0.0), lambda t: (9.0, 9.0, 9.0) if t < 1.49 else (-0.2, 0.0, 0.0), 4.0, end)
    assert score.summary()["velocity_error"] == pytest.approx(0.0)
    assert len(score.commands()) == 2


def test_strides_wholly_inside_the_judged_time_count():
    score = TrackingScore()
    drive(score, (0.0, 0.0, 0.0), lambda t: (0.0, 0.0, 0.0), 4.0)
    # samples at 1.94, 1.96, ... 3.98 s end a stride that begins after 1.5 s
    assert score.summary()["samples"] == 103


def test_summary_is_the_mean_over_time_and_names_the_worst_command():
    score = TrackingScore()
    end = drive(score, (0.3, 0.0, 0.0), lambda t: (0.3, 0.0, 0.0), 4.0)
    drive(score, (0.5, 0.0, 0.0), lambda t: (0.4, 0.0, 0.2), 4.0, end)
    summary = score.summary()
    assert summary["velocity_error"] == pytest.approx(0.05)
    assert summary["worst_velocity_error"] == pytest.approx(0.1)
    assert summary["worst_yaw_rate_error"] == pytest.approx(0.2)


def test_repeated_command_is_one_entry_but_settles_again():
    score = TrackingScore()
    end = drive(score, (0.3, 0.0, 0.0), lambda t: (0.3, 0.0, 0.0), 4.0)
    end = drive(score, (0.0, 0.0, 0.0), lambda t: (0.0, 0.0, 0.0), 4.0, end)
    drive(score, (0.3, 0.0, 0.0), lambda t: (9.0, 0.0, 0.0) if t < 1.49 else (0.3, 0.0, 0.0), 4.0, end)
    assert [entry["command"] for entry in score.commands()] == [[0.3, 0.0, 0.0], [0.0, 0.0, 0.0]]
    assert score.commands()[0]["samples"] == 206
    assert score.summary()["velocity_error"] == pytest.approx(0.0)


def test_command_held_too_briefly_has_no_number():
    score = TrackingScore()
    drive(score, (0.3, 0.0, 0.0), lambda t: (0.0, 0.0, 0.0), 1.0)
    assert score.commands()[0]["velocity_error"] is None
    assert score.summary()["velocity_error"] is None


def test_stamp_that_goes_back_starts_a_new_run():
    score = TrackingScore()
    drive(score, (0.3, 0.0, 0.0), lambda t: (0.3, 0.0, 0.0), 1.4, start=100.0)
    drive(score, (0.3, 0.0, 0.0), lambda t: (9.0, 0.0, 0.0) if t < 1.49 else (0.3, 0.0, 0.0), 4.0, start=0.0)
    assert score.summary()["velocity_error"] == pytest.approx(0.0)


def test_large_stamps_count_as_small_ones_do():
    score = TrackingScore()
    drive(score, (0.0, 0.0, 0.0), lambda t: (0.0, 0.0, 0.0), 4.0, start=1.8e9)
    assert score.summary()["samples"] == 103


def test_nan_sample_is_counted_and_not_averaged():
    score = TrackingScore()
    drive(score, (0.3, 0.0, 0.0), lambda t: (math.nan if 2.0 <= t < 2.015 else 0.3, 0.0, 0.0), 4.0)
    assert score.summary()["non_finite"] == 1
    assert score.summary()["velocity_error"] == pytest.approx(0.0)


def test_report_follows_the_schema_and_reads_back(tmp_path):
    score = TrackingScore()
    drive(score, (0.3, 0.0, 0.0), lambda t: (0.3, 0.0, 0.0), 4.0)
    path = write_report(tmp_path / "new" / "report.json", tracking_report({"a": 1}, [3], score, falls=2, rate=50.0))
    content = json.loads(path.read_text())
    assert content["schema"] == 1 and content["seeds"] == [3] and content["config"] == {"a": 1}
    assert {"velocity_error", "yaw_rate_error", "worst_velocity_error", "worst_yaw_rate_error"} <= set(
        content["summary"]
    )
    assert content["summary"]["falls"] == 2 and content["summary"]["rate"] == 50.0
    assert content["commands"][0]["command"] == [0.3, 0.0, 0.0]


def test_report_with_a_number_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError):
        write_report(tmp_path / "report.json", {"summary": {"velocity_error": math.nan}})
    assert not (tmp_path / "report.json").exists()


def test_commands_may_begin_with_a_minus():
    assert parse_commands("-0.2,0,0.5;0.3,0,0") == ((-0.2, 0.0, 0.5), (0.3, 0.0, 0.0))


def test_trailing_semicolon_and_spaces_are_allowed():
    assert parse_commands(" 0.3, 0, 0 ; ") == ((0.3, 0.0, 0.0),)


@pytest.mark.parametrize("text", ["", ";", "0.3", "0.3,0", "a,b,c", "0.3,0,0,0", "nan,0,0", "inf,0,0"])
def test_wrong_commands_say_what_a_command_looks_like(text):
    with pytest.raises(ConfigError, match="0.3,0,0;-0.2,0,0.5"):
        parse_commands(text)
