"""With real processes of a few lines: what is started ends, what may come back does, nothing outlives its parent."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from mbrl_ros.stack import Process
from mbrl_ros.up.shared_memory import remove_abandoned
from mbrl_ros.up.supervisor import Supervisor
from mbrl_ros.up.usage import Usage

PATIENCE = 20.0


class Watched:
    def __init__(self, readers=None):
        self.lines, self.deaths = [], []
        self.supervisor = Supervisor(
            os.environ, lambda name, line: self.lines.append((name, line)), self.deaths.append, readers or {}
        )

    def start(self, code, name="child", **policy):
        self.supervisor.start(Process(name, **policy), [sys.executable, "-c", code])

    def until(self, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"never came true; printed {self.lines}"
            self.supervisor.step(0.05)


@pytest.fixture
def watched():
    watched = Watched()
    yield watched
    watched.supervisor.end(watched.supervisor.names(), 1.0)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_output_comes_line_by_line_with_the_name_of_who_printed_it(watched):
    watched.start("import sys; print('one'); print('two', file=sys.stderr); sys.stdout.write('no end of line')")
    watched.until(lambda: watched.deaths)
    assert sorted(watched.lines) == [("child", "no end of line"), ("child", "one"), ("child", "two")]


def test_reader_gets_standard_output_and_the_rest_is_shown():
    read = []
    watched = Watched({"child": read.append})
    watched.start("import sys; print('for the reader'); print('for people', file=sys.stderr)")
    watched.until(lambda: watched.deaths)
    assert read == ["for the reader"] and watched.lines == [("child", "for people")]


def test_process_that_ends_unasked_is_a_death_with_its_status(watched):
    watched.start("raise SystemExit(3)")
    watched.until(lambda: watched.deaths)
    assert (watched.deaths[0].code, watched.deaths[0].restart_in) == (3, None)


def test_killed_process_comes_back_after_its_pause_and_not_for_ever(watched):
    watched.supervisor.start(Process("json.tool", restart_after=(0.1, 0.2)), [sys.executable, "-c", "pass"])
    # Restarts use the process's own command, a node that does not exist: it dies at once each time.
    watched.until(lambda: len(watched.deaths) == 3)
    assert [death.restart_in for death in watched.deaths] == [0.1, 0.2, None]


def test_ending_is_asked_for_first_and_is_no_death(watched):
    watched.start(
        "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(print('bye')))\nprint('up')\ntime.sleep(60)"
    )
    watched.until(lambda: watched.lines)
    watched.supervisor.end(["child"], 5.0)
    assert watched.lines[-1] == ("child", "bye") and watched.deaths == []


def test_process_that_does_not_listen_is_killed(watched):
    watched.start("import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('up')\ntime.sleep(60)")
    watched.until(lambda: watched.lines)
    pid = watched.supervisor.pids()["child"]
    watched.supervisor.end(["child"], 0.3)
    assert not alive(pid)


def test_child_dies_with_its_parent_even_if_that_is_killed():
    code = (
        "import os\n"
        "from mbrl_ros.stack import Process\n"
        "from mbrl_ros.up.supervisor import Supervisor\n"
        "import sys\n"
        "s = Supervisor(os.environ, print, print, {})\n"
        "s.start(Process('child'), [sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(s.pids()['child'], flush=True)\n"
        "s.step(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    assert alive(child)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + PATIENCE
    while alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nice_and_environment_reach_the_process(watched):
    watched.start("import os; print(os.nice(0), os.environ['X'])", nice=7, environment=(("X", "y"),))
    watched.until(lambda: watched.deaths)
    assert watched.lines == [("child", f"{os.nice(0) + 7} y")]


def test_usage_counts_processor_time_across_a_restart(watched):
    usage, busy = Usage(), "import time\nwhile time.process_time() < 0.3: pass\nprint('done')\ntime.sleep(60)"
    watched.start(busy, name="a")
    watched.start(busy, name="b")
    watched.until(lambda: len(watched.lines) == 2)
    pids = watched.supervisor.pids()
    usage.look({"child": pids["a"]})
    usage.look({"child": pids["b"]})
    report = usage.report()["child"]
    assert report["cpu_share"] * (usage._looked - usage._began) == pytest.approx(0.6, abs=0.2)
    assert report["rss_mb"] >= report["rss_last_mb"] > 1.0 and report["rss_mb"] >= report["rss_first_mb"] > 1.0


def test_segments_that_nobody_holds_are_removed_and_others_stay(tmp_path):
    for name in ("fastdds_dead", "fastdds_live", "fastdds_port1"):
        for file in (name, f"{name}_el", f"sem.{name}_mutex"):
            (tmp_path / file).touch()
            os.utime(tmp_path / file, (0, 0))
    for name in ("fastdds_port2", "fastdds_unknown", "other"):  # a port that lost its lock; and what may be in use
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    with open(tmp_path / "fastdds_live_el") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert remove_abandoned(tmp_path) == ["fastdds_dead", "fastdds_port1", "fastdds_port2"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "fastdds_live",
        "fastdds_live_el",
        "fastdds_unknown",
        "other",
        "sem.fastdds_live_mutex",
    ]


def test_segment_that_is_being_made_is_left_alone(tmp_path):
    (tmp_path / "fastdds_new_el").touch()
    assert remove_abandoned(tmp_path) == []
