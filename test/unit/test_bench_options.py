"""Options of `mbrl bench` that a comparison does not read are refused, by name; those that it reads are taken."""

import argparse

import pytest

from mbrl_ros.bench import command
from mbrl_ros.bench.options import READ, check_read, option
from mbrl_ros.cli import add_settings_argument, main
from mbrl_ros.config import ConfigError


def parser():
    found = argparse.ArgumentParser()
    command.add_arguments(found)
    add_settings_argument(found)
    return found


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("ladder --quick --set planner.nonsense=3", "bench ladder does not read --set"),
        ("ladder nonsense_run", "bench ladder does not read RUN"),
        ("models payload", "bench models does not read RUN. Beside --seed and --report it reads: --seeds, --only"),
        ("models --run car_mpc", "does not read --run"),
        ("plan --only car", "bench plan does not read --only"),
        ("pushes --hold 3", "bench pushes does not read --hold"),
        ("soak --trials 9", "bench soak does not read --trials"),
        ("environment --peer-trials 3", "bench environment does not read --peer-trials"),
        ("pets --planner cem", "bench pets does not read --planner"),
    ],
)
def test_what_does_nothing_is_refused(said, why, capsys):
    assert main(["bench", *said.split()]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("what", list(command.KNOWN))
def test_every_comparison_says_what_it_reads(what):
    usual = parser().parse_args([]).usual
    known = {option(name) for name in usual}
    assert known >= set(READ[what].split()), "options that there are"
    assert set(READ) == set(command.KNOWN)
    for name in usual:
        args = argparse.Namespace(**usual | {name: object(), "what": what})
        if option(name) in READ[what].split() or name in ("seed", "report", "what"):
            check_read(args, usual)
        else:
            with pytest.raises(ConfigError, match=f"does not read {option(name)}\\."):
                check_read(args, usual)
