"""docs/tutorial_methods.md, done as it says: its files written, its lines added, its commands run.

It is done to a copy of the project, so that nothing but what the page says can have made it work.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mbrl_ros.config import ConfigError
from mbrl_ros.runs import load_run

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "tutorial_methods.md").read_text()
KNOWN = "mbrl_ros/known.py"
NEW = ("aslant", "genetic", "waves")
PLACES = ("tasks", "planners", "dynamics/kinds")
BLOCK = re.compile(r"^`([\w/.]+)`(?:, in `(\w+)`)?\n\n```\w+\n(.*?)^```$", re.M | re.S)  # file, dict, content
COMMANDS = [line for block in re.findall(r"^```bash\n(.*?)^```$", PAGE, re.M | re.S) for line in block.splitlines()]
SECTIONS = re.split(r"^## ", PAGE, flags=re.M)[1:]
FOLLOW = """
import contextlib, io, json, runpy, shlex, sys
import pytest
from mbrl_ros import cli

done = {}
for command in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = cli.main(shlex.split(command)[1:])
    done[command] = [status, said.getvalue()]
said = io.StringIO()
with contextlib.redirect_stdout(said):
    runpy.run_path("swing_up.py")
    asked = " or ".join(json.loads(sys.argv[2]))
    contract = pytest.main(["-q", "-p", "no:cacheprovider", "test/contract", "-k", asked])
done["program and contract"] = [int(contract), said.getvalue()]
print(json.dumps(done))
"""


@dataclass(frozen=True)
class Followed:
    """What came of each command, and of the program and the contract tests: exit status and output."""

    came: dict[str, list]

    def __getitem__(self, begin: str) -> tuple[int, str]:
        return next(tuple(what) for command, what in self.came.items() if command.startswith(begin))


@pytest.fixture(scope="module")
def followed(tmp_path_factory) -> Followed:
    copy = tmp_path_factory.mktemp("tutorial")
    for folder in ("mbrl_ros", "config", "sim", "test/contract"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name, known, content in BLOCK.findall(PAGE):
        path = copy / name
        if known:
            begin, rest = path.read_text().split(f"{known} = {{\n")
            path.write_text(f"{begin}{known} = {{\n{content}{rest}")
        else:
            assert not path.exists(), f"{name} is to be a new file"
            path.write_text(content)
    environment = os.environ | {"PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    asked = json.dumps(COMMANDS), json.dumps(NEW)
    told = [sys.executable, "-c", FOLLOW, *asked]
    done = subprocess.run(told, cwd=copy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return Followed(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(("section", "place"), list(zip(SECTIONS, PLACES, strict=False)))
def test_each_takes_one_file_and_one_line(section, place):
    added = BLOCK.findall(section)
    code = [name for name, known, _ in added if name.startswith("mbrl_ros/") and not known]
    lines = [content for name, known, content in added if known]
    assert [Path(name).parent.as_posix() for name in code] == [f"mbrl_ros/{place}"]
    assert len(lines) == 1 and lines[0].count("\n") == 1
    assert Path(code[0]).stem in ast.literal_eval(f"{{{lines[0]}}}")


def test_without_its_line_a_name_is_unknown():
    with pytest.raises(ConfigError, match="'genetic' is none of shooting"):
        load_run("pendulum_mpc").with_setting("planner.planner", "genetic")


def test_the_new_task_is_learned(followed):
    status, said = followed["mbrl train aslant_mpc"]
    assert status == 0
    assert float(re.search(r"aslant (\d+)% of the last 5 s", said)[1]) >= 90


def test_the_new_planner_does_the_new_task_with_what_was_learned(followed):
    status, said = followed["mbrl eval aslant_mpc --model runs/aslant --set planner.planner=genetic"]
    assert status == 0
    assert float(re.search(r"aslant (\d+)% of the last 5 s", said)[1]) >= 90


def test_the_new_model_is_learned_kept_and_read_again(followed):
    for command in ("mbrl train pendulum_mpc", "mbrl eval pendulum_mpc --model runs/waves"):
        status, said = followed[command]
        assert status == 0
        assert float(re.search(r"upright (\d+)% of the last 5 s", said)[1]) >= 80


def test_the_new_model_swings_the_pendulum_up_with_the_new_planner(followed):
    _, said = followed["program"]
    came = ast.literal_eval(re.search(r"\{.*upright_share.*\}", said)[0])
    assert came["upright_share_last_5s"] >= 0.8


def test_all_three_do_what_is_asked_of_every_task_planner_and_model(followed):
    status, said = followed["program"]
    assert status == 0, said[-3000:]
    assert int(re.search(r"(\d+) passed", said)[1]) >= 30
