"""The strict loader: what a person gets wrong in a file is named with its mend; what is harmless is normalised."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from mbrl_ros import parameters
from mbrl_ros.config import ConfigError, build, leaves, read_yaml, setting
from mbrl_ros.paths import named, share
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import SECTIONS, load_run, parameter_text, parse_run, with_settings, write_parameters
from mbrl_ros.settings import Shared

RUNS = sorted(p.stem for p in (share() / "config").glob("*.yaml"))
ROBOTS = sorted(p.stem for p in (share() / "config" / "robots").glob("*.yaml"))


def run_of(planner: dict | None = None, **sections):
    """A run from `/**/planner` and other sections, as if they stood in my.yaml."""
    content = {f"/**/{name}": {"ros__parameters": body} for name, body in sections.items()}
    if planner is not None:
        content["/**/planner"] = {"ros__parameters": planner}
    return parse_run(content, "my.yaml", "my")


def complaint(content: dict) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_run(content, "my.yaml", "my")
    return str(caught.value)


def complaint_about_planner(body: dict) -> str:
    return complaint({"/**/planner": {"ros__parameters": body}})


def test_an_empty_file_is_a_run_of_defaults():
    run = parse_run({}, "my.yaml", "my")
    assert run.name == "my"
    assert run.planner == SECTIONS["planner"]()


def test_a_mistyped_key_is_named_with_its_file_its_place_and_the_nearest_valid_one():
    said = complaint_about_planner({"mppi": {"temprature": 0.5}})
    assert said == "my.yaml: planner.mppi: unknown key 'temprature', did you mean 'temperature'?"


def test_an_unknown_key_near_to_nothing_lists_the_known_ones():
    said = complaint_about_planner({"xyzzy": 1})
    assert said.startswith("my.yaml: planner: unknown key 'xyzzy'. Known: ")
    assert "action_map" in said


def test_an_unknown_key_for_all_nodes_is_refused_too():
    assert complaint({"/**": {"ros__parameters": {"robt": "go1_like"}}}) == (
        "my.yaml: /**: unknown key 'robt', did you mean 'robot'?"
    )


@pytest.mark.parametrize("section", SECTIONS)
def test_a_plain_section_is_refused_because_a_namespace_would_hide_it(section):
    for key in (section, f"/{section}"):
        said = complaint({key: {"ros__parameters": {}}})
        assert f"write '/**/{section}' for '{key}'" in said
        assert "namespace" in said


def test_a_section_under_one_fixed_namespace_is_refused_and_the_valid_ones_are_named():
    said = complaint({"/robot_1/planner": {"ros__parameters": {}}})
    assert "'/robot_1/planner'" in said and "/**/planner" in said


def test_a_section_of_an_unknown_node_is_refused_with_the_nearest_one():
    assert "did you mean '/**/planner'?" in complaint({"/**/planer": {"ros__parameters": {}}})


def test_a_section_without_ros_parameters_is_refused():
    assert "ros__parameters" in complaint({"/**/planner": {"mode": "stand"}})
    assert "ros__parameters" in complaint({"/**/planner": None})


@pytest.mark.parametrize("name", ["max_age", "blend", "stance_hold", "sit_time"])
def test_a_duration_of_the_guard_is_one_that_its_clock_can_count(name):
    with pytest.raises(ConfigError, match=rf"guard.{name}: 1e\+300 is outside the range"):
        run_of({}, guard={name: 1e300})


def test_an_integer_for_a_double_is_normalised():
    value = run_of({"mppi": {"temperature": 1}}).planner.mppi.temperature
    assert value == 1.0 and isinstance(value, float)


def test_a_double_for_an_integer_is_refused():
    assert complaint_about_planner({"delay": 1.0}) == "my.yaml: planner.delay: expected a whole number, got 1.0"


def test_a_mixed_list_is_normalised():
    @dataclass(frozen=True)
    class Weights:
        each: tuple[float, ...] = setting((), "one a joint")

    assert all(isinstance(v, float) for v in build(Weights, {"each": [1, 0.5]}, "my.yaml").each)


def test_a_wrong_item_of_a_list_is_named_by_its_place():
    @dataclass(frozen=True)
    class Weights:
        each: tuple[float, ...] = setting((), "one a joint")

    with pytest.raises(ConfigError, match=r"my.yaml.each\[1\]: expected a number, got 'x'"):
        build(Weights, {"each": [1, "x"]}, "my.yaml")


@pytest.mark.parametrize("wrong", ["yes please", 1, None, [True]])
def test_a_switch_takes_true_or_false_only(wrong):
    assert "noise: expected true or false" in complaint({"/**/bridge": {"ros__parameters": {"noise": wrong}}})


def test_true_is_no_number():
    assert "expected a number" in complaint_about_planner({"speed_limit": True})
    assert "expected a whole number" in complaint_about_planner({"delay": True})


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_number_that_is_not_finite_is_refused(value):
    assert "not a finite number" in complaint_about_planner({"speed_limit": value})


@pytest.mark.parametrize("value", [1, 201, -5])
def test_a_value_out_of_range_is_refused_with_the_range(value):
    assert complaint_about_planner({"mppi": {"horizon": value}}) == (
        f"my.yaml: planner.mppi.horizon: {value} is outside the range 2 .. 200"
    )


def test_a_value_below_an_open_range_is_told_where_that_begins():
    assert complaint({"/**": {"ros__parameters": {"seed": -1}}}) == (
        "my.yaml: bridge.seed: -1 is outside the range 0 and above"
    )


def test_a_choice_that_does_not_exist_is_refused_with_those_that_do():
    said = complaint_about_planner({"mode": "mpi"})
    assert "stand, explore, observe, mppi" in said and "did you mean 'mppi'?" in said


def test_a_group_of_settings_that_is_no_group_is_refused():
    assert "expected keys and values" in complaint_about_planner({"mppi": 400})


def test_what_all_nodes_share_reaches_each_and_a_node_may_differ():
    content = {
        "/**": {"ros__parameters": {"seed": 3}},
        "/**/learner": {"ros__parameters": {"seed": 4}},
    }
    run = parse_run(content, "my.yaml", "my")
    assert (run.bridge.seed, run.planner.seed, run.guard.seed, run.learner.seed) == (3, 3, 3, 4)


def test_an_override_is_checked_like_a_file():
    run = parse_run({}, "my.yaml", "my")
    assert run.with_setting("planner.mppi.temperature", 1).planner.mppi.temperature == 1.0
    assert run.with_setting("seed", 7).learner.seed == 7
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        run.with_setting("planner.mppi.temprature", 1)
    with pytest.raises(ConfigError, match="outside the range 2 .. 200"):
        run.with_setting("planner.mppi.horizon", 1000)
    with pytest.raises(ConfigError, match="did you mean 'planner'|unknown key 'planer.delay'"):
        run.with_setting("planer.delay", 1)


def test_overrides_that_go_only_together_are_taken_together():
    run = parse_run({}, "my.yaml", "my")
    with pytest.raises(ConfigError, match="or most 0, too"):
        with_settings(run, ["planner.bounds.least=0"])
    for order in (1, -1):
        free = with_settings(run, ["planner.bounds.least=0", "planner.bounds.most=0", "seed=3"][::order])
        assert (free.planner.bounds.least, free.planner.bounds.most, free.learner.seed) == (0.0, 0.0, 3)


def test_the_file_that_nodes_get_says_the_same_run_with_every_setting_of_the_right_type(tmp_path):
    run = run_of({"speed_limit": 2, "mppi": {"noise": 1}}, guard={"blend": 1})
    path = write_parameters(run, tmp_path / "parameters.yaml")
    content = yaml.safe_load(path.read_text())
    assert set(content) == {f"/**/{section}" for section in SECTIONS}, "a plain section is lost under a namespace"
    assert parse_run(content, path.name, run.name) == run
    for section in SECTIONS:
        written = content[f"/**/{section}"]["ros__parameters"]
        for leaf in leaves(getattr(run, section)):
            value = written
            for key in leaf.name.split("."):
                value = value[key]
            assert type(value) is type(leaf.value), f"{section}.{leaf.name}"


def test_small_numbers_survive_the_way_through_the_file():
    run = run_of(learner={"train": {"weight_decay": 1e-7}})
    assert "1.0e-07" in parameter_text(run), "without the point, YAML readers disagree on whether it is a number"


@pytest.mark.parametrize("name", RUNS)
def test_every_shipped_run_loads_and_its_robot_too(name):
    run = load_run(name)
    assert load_robot(run.planner.robot).name == run.planner.robot
    assert {getattr(run, s).robot for s in SECTIONS} == {run.planner.robot}


@pytest.mark.parametrize("name", ROBOTS)
def test_every_shipped_robot_loads_under_its_own_name(name):
    assert load_robot(name).name == name


def test_the_shipped_runs_are_found():
    assert {"quadruped_mpc", "cartpole_mpc"} <= set(RUNS)
    assert {"go1_like", "cartpole"} <= set(ROBOTS)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_tells_what_it_is(section):
    undocumented = [leaf.name for leaf in leaves(SECTIONS[section]()) if not leaf.doc.strip()]
    assert not undocumented


@pytest.mark.parametrize("section", SECTIONS)
def test_every_default_is_itself_valid(section):
    cls = SECTIONS[section]
    assert build(cls, dataclasses.asdict(cls()), section) == cls()


def test_every_node_knows_what_all_share():
    assert all(issubclass(cls, Shared) for cls in SECTIONS.values())


def test_a_run_that_does_not_exist_is_answered_with_those_that_do():
    with pytest.raises(FileNotFoundError, match="Known: .*quadruped_mpc"):
        load_run("quadrupd_mpc")


def test_a_path_to_a_file_names_a_run_too(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("/**/planner:\n  ros__parameters: {delay: 0}\n")
    assert named("config", str(path), ".yaml") == path
    assert load_run(str(path)).planner.delay == 0


@pytest.mark.parametrize("folder", ["config", "config/robots"])
def test_a_path_to_no_file_is_repeated_as_it_was_written(folder):
    with pytest.raises(FileNotFoundError, match=r"^no such file: cfg/nosuch\.yaml$"):
        named(folder, "cfg/nosuch.yaml", ".yaml")


def test_a_name_may_have_its_suffix_and_an_unknown_one_is_answered_with_those_of_the_folder():
    assert named("config", "quadruped_mpc.yaml", ".yaml") == named("config", "quadruped_mpc", ".yaml")
    with pytest.raises(FileNotFoundError, match=r"^no config/robots/nosuch\.yaml\. Known: .*cartpole, .*go1_like"):
        named("config/robots", "nosuch.yaml", ".yaml")


def test_another_action_map_brings_its_planner_settings_and_leaves_the_others():
    gait, joint = load_run("quadruped_mpc"), load_run("quadruped_mpc", "joint")
    assert (joint.name, joint.planner.action_map) == ("quadruped_mpc", "joint")
    assert joint.planner.mppi.iterations > gait.planner.mppi.iterations
    assert joint.learner.practice.hold > gait.learner.practice.hold
    assert joint.planner.mppi.horizon == gait.planner.mppi.horizon
    assert dataclasses.replace(joint.learner, practice=gait.learner.practice) == gait.learner


def test_an_action_map_without_a_file_of_its_own_changes_nothing_else():
    run, gait = load_run("quadruped_mpc", "spline"), load_run("quadruped_mpc")
    assert run == gait.with_setting("planner.action_map", "spline")


@pytest.mark.parametrize("text", ["a: [1, 2", "- 1\n- 2\n", ""])
def test_a_file_that_is_no_mapping_is_refused_by_its_name(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="broken.yaml"):
        read_yaml(path)


def test_a_file_that_is_no_text_is_refused_by_its_name(tmp_path):
    path = tmp_path / "picture.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="^picture.yaml: not a text file"):
        read_yaml(path)


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("delay: 1\nmode: stand\ndelay: 0\n")
    with pytest.raises(ConfigError, match=r"twice.yaml: .*'delay' stands twice.*line 3"):
        read_yaml(path)


def test_a_number_in_exponent_form_without_a_point_is_a_number(tmp_path):
    path = tmp_path / "exponent.yaml"
    path.write_text("rate: 1e-3\nname: 1e\n")
    assert read_yaml(path) == {"rate": 0.001, "name": "1e"}


def test_an_override_from_the_command_line_reads_numbers_as_a_file_does():
    run = with_settings(parse_run({}, "my.yaml", "my"), ["learner.train.rate=1e-4", "planner.mppi.samples=200"])
    assert (run.learner.train.rate, run.planner.mppi.samples) == (1e-4, 200)


@pytest.mark.parametrize("text", ["planner.mppi.samples", "planner.mppi.samples=[1", "planner.mppi.sample=200"])
def test_an_override_that_is_none_is_refused_and_repeated_to_its_author(text):
    with pytest.raises(ConfigError, match=r"^--set"):
        with_settings(parse_run({}, "my.yaml", "my"), [text])


def test_the_printed_document_of_settings_is_current():
    printed = (Path(__file__).parents[2] / "docs" / "parameters.md").read_text()
    assert printed == parameters.document(), "run: python -m mbrl_ros.parameters > docs/parameters.md"


@pytest.mark.parametrize("node", SECTIONS)
def test_the_document_lists_every_setting_with_its_description(node):
    document = parameters.document()
    for leaf in leaves(SECTIONS[node]()):
        assert f"| `{leaf.name}` | " in document
        assert f" | {leaf.doc} |" in document


@pytest.mark.parametrize(
    "text",
    ["a: 2020-13-45", "a: !!int ''", f"a: {'9' * 5000}", "a: &a [1]\nb: *a", "[" * 5000, f"planner: {'9' * 400}"],
)
def test_what_is_no_yaml_is_said_to_be_none_whatever_the_parser_raises(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError):
        load_run(str(path))


@pytest.mark.parametrize(
    "body, mend",
    [
        ({"mcts": {"noise": 2.0}}, "planner.mcts: unknown key 'noise'"),
        ({"mcts": {"iterations": 3}}, "planner.mcts: unknown key 'iterations'"),
        ({"mcts": {"proposals": 0.3}}, "planner.mcts.proposals: expected true or false"),
        ({"gradient": {"samples": 100}}, "planner.gradient: unknown key 'samples'"),
        ({"gradient": {"anytime": False}}, "planner.gradient: unknown key 'anytime'"),
        ({"icem": {"knot_steps": 3}}, "planner.icem: unknown key 'knot_steps'"),
        ({"bounds": {"least": 0.0}}, "planner.bounds: least 0 never grows: expected above 0"),
        ({"planner": "cem", "device": "cuda"}, "planner cem plans on the processor; take planner mppi, or device cpu"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(body, mend):
    assert mend in complaint_about_planner(body)
