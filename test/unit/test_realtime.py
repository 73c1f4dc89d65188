"""What a process asks of the kernel, and what it says where that is refused. Every attempt has a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mbrl_ros.config import ConfigError
from mbrl_ros.settings import LearnerConfig, RealtimeConfig, cores_of

ROOT = Path(__file__).resolve().parents[2]
WITHOUT_RIGHTS = """
import ctypes, resource
resource.setrlimit(resource.RLIMIT_MEMLOCK, (8_000_000, 8_000_000))
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
"""
BESIDE = """
import threading, time
threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
"""


def told(code):
    """What a new process prints that runs `code` on top of the imports it needs."""
    whole = "import os\nfrom mbrl_ros.control import realtime\nfrom mbrl_ros.settings import RealtimeConfig\n" + code
    done = subprocess.run(
        [sys.executable, "-c", whole], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def permitted(code):
    return told(f"print(len({code}))").strip() == "0"


@pytest.mark.parametrize(
    ("text", "cores"), [("", ()), ("1", (1,)), ("0,2", (0, 2)), ("0-2", (0, 1, 2)), ("0, 2-3", (0, 2, 3))]
)
def test_cores_are_written_as_for_taskset(text, cores):
    assert cores_of(text) == frozenset(cores)


@pytest.mark.parametrize("config", [RealtimeConfig, LearnerConfig])
@pytest.mark.parametrize("text", ["one", "1-", "-1", "1;2", "0x1"])
def test_cores_that_cannot_be_read_are_refused_with_an_example(config, text):
    with pytest.raises(ConfigError, match="0,2-3"):
        config(cores=text)


def test_nothing_is_asked_for_by_default():
    code = "print(realtime.take(RealtimeConfig()), os.sched_getscheduler(0) == os.SCHED_OTHER)"
    assert told(WITHOUT_RIGHTS + code).split() == ["[]", "True"]


@pytest.mark.parametrize(
    ("asked", "named", "mend"),
    [("priority=50", "realtime.priority 50", "rtprio 50"), ("lock_memory=True", "only 8 MB", "memlock unlimited")],
)
def test_what_is_not_permitted_is_said_with_its_mend_and_the_process_goes_on(asked, named, mend):
    said = told(WITHOUT_RIGHTS + f"print(*realtime.take(RealtimeConfig({asked})))")
    assert named in said and mend in said and "is not in force" in said


def test_a_core_that_this_process_may_not_use_is_named():
    said = told("print(*realtime.take(RealtimeConfig(cores='4000')))")
    assert "realtime.cores 4000 is not in force" in said and "4000 is none" in said


def test_threads_that_are_there_already_keep_to_the_cores_too():
    core = min(os.sched_getaffinity(0))
    code = f"realtime.take(RealtimeConfig(cores='{core},'))\n"
    code += "print(*[sorted(os.sched_getaffinity(thread)) for thread in realtime._threads()])"
    assert told(BESIDE + code).strip() == f"[{core}] [{core}]"


@pytest.mark.skipif(not permitted("realtime.take(RealtimeConfig(priority=20))"), reason="not permitted here")
def test_all_threads_are_as_urgent_as_the_loop_but_for_those_that_step_back():
    code = """
realtime.take(RealtimeConfig(priority=20))
print(*sorted(os.sched_getparam(thread).sched_priority for thread in realtime._threads()))
def work():
    realtime.step_back()
    realtime.step_back()
    print(os.sched_getparam(0).sched_priority)
later = threading.Thread(target=work)
later.start()
later.join()
"""
    assert told(BESIDE + code).split() == ["20", "20", "19"]


def test_stepping_back_changes_nothing_where_nothing_is_real_time():
    assert told("realtime.step_back()\nprint(os.sched_getscheduler(0) == os.SCHED_OTHER)").strip() == "True"


@pytest.mark.skipif(not permitted("realtime.take(RealtimeConfig(lock_memory=True))"), reason="not permitted here")
def test_memory_is_locked_where_that_is_permitted():
    code = """
realtime.take(RealtimeConfig(lock_memory=True))
print(*[line.split()[1] for line in open("/proc/self/status") if line.startswith("VmLck")])
"""
    assert int(told(code)) > 0
