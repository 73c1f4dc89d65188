"""Every file and text that is read, damaged: it is refused by name, or read as it was; nothing crashes, nothing swells.

Where there is a checksum, what was changed is not read.
"""

import json
import resource
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from fuzzing import confused, damaged, tried, words
from hypothesis import given
from hypothesis import strategies as st
from journal_writer import content_of
from learning_driver import CARTPOLE as LEARNED
from learning_driver import linear_run, quick_config

from mbrl_ros.backends import faults
from mbrl_ros.config import ConfigError
from mbrl_ros.control.report import parse_commands
from mbrl_ros.data import keepsake
from mbrl_ros.data.inbox import Inbox
from mbrl_ros.data.journal import files, repair
from mbrl_ros.data.journal_file import Entry, JournalFile, count, read
from mbrl_ros.dynamics.storage import ModelRefused, from_bytes, to_bytes
from mbrl_ros.learner_settings import JournalConfig
from mbrl_ros.learning.bag_command import held
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.models import Versions
from mbrl_ros.learning.progress import progress_bytes, progress_of
from mbrl_ros.learning.run_memory import FILE, RunMemory
from mbrl_ros.paths import share
from mbrl_ros.policies.card import CARD, PolicyRefused
from mbrl_ros.policies.runner import OnnxPolicy
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.fit import check_model
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run, with_settings
from mbrl_ros.settings import cores_of

MOST_MORE = 3 * 2**30  # bytes of address space that reading may take beyond what there is
CARTPOLE = load_robot("cartpole")
LAYOUT = FeatureLayout(CARTPOLE)
SHIPPED = share() / "models" / "cartpole_mpc"
MODEL, POLICY = (SHIPPED / name for name in ("model.safetensors", "policy.onnx"))
RUN, ROBOT = share() / "config" / "quadruped_mpc.yaml", share() / "config" / "robots" / "go1_like.yaml"


@pytest.fixture(autouse=True, scope="module")
def no_gigantic_allocation():
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MOST_MORE, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def said(error: Exception) -> None:
    assert str(error).strip()


def with_header(content: bytes, change) -> bytes:
    """Safetensors bytes whose header has become `change(header)`."""
    size = int.from_bytes(content[:8], "little")
    header = json.dumps(change(json.loads(content[8 : 8 + size]))).encode()
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


@st.composite
def tensor_files(draw, content: bytes, inner: tuple[str, ...] = ()):
    """Damaged as bytes, in its header, or in one of the JSON texts `inner` in its metadata."""
    kind = draw(st.sampled_from(["bytes", "header", *("inner" for _ in inner[:1])]))
    if kind == "bytes":
        return draw(damaged(content))
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    if kind == "header":
        return with_header(content, lambda header: draw(confused(header)))
    name = draw(st.sampled_from(inner))
    text = json.dumps(draw(confused(json.loads(header["__metadata__"][name]))))
    return with_header(content, lambda header: {**header, "__metadata__": {**header["__metadata__"], name: text}})


@tried()
@given(content=tensor_files(MODEL.read_bytes(), ("card", "ensemble")))
def test_models(content):
    try:
        model, card = from_bytes(content, LAYOUT)
    except ModelRefused as refusal:
        said(refusal)
    else:
        assert all(torch.isfinite(tensor).all() for tensor in (*model.weights, *model.biases))
        assert card.version >= 0


@tried()
@given(content=tensor_files(MODEL.read_bytes(), ("card", "ensemble")))
def test_models_looked_at_before_a_start(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    try:
        check_model(folder / "model.safetensors", CARTPOLE)
    except ConfigError as refusal:
        said(refusal)


@pytest.fixture(scope="module")
def progress():
    """A learner's, and what makes such a learner."""
    learner = Learner(LEARNED, quick_config())
    for t in linear_run(150):
        learner.add(t)
    for _ in learner.train():
        pass
    learner.judge(0.0)
    return learner, progress_bytes(learner.progress(), FeatureLayout(LEARNED))


@tried(0.5)
@given(data=st.data())
def test_progress(progress, data):
    learner, content = progress
    try:
        found = progress_of(data.draw(tensor_files(content, ("progress",))), FeatureLayout(LEARNED))
        learner.go_on(found)
    except ModelRefused as refusal:
        said(refusal)
    assert np.isfinite(learner.progress().counts.seconds)


@tried()
@given(content=tensor_files((SHIPPED / keepsake.FILE).read_bytes()))
def test_keepsakes(folder, content):
    (folder / keepsake.FILE).write_bytes(content)
    try:
        found = keepsake.beside(folder / "model.safetensors", CARTPOLE.layout_hash, LAYOUT.size, 1)
    except ConfigError as refusal:
        said(refusal)
    else:
        assert all(np.isfinite(column).all() for column in found.values())


@st.composite
def policies(draw):
    """Damaged as bytes, where each is a part of the graph or a weight; or in its card."""
    content = POLICY.read_bytes()
    if draw(st.booleans()):
        return draw(damaged(content))
    import onnx

    made = onnx.load_from_string(content)
    (entry,) = (entry for entry in made.metadata_props if entry.key == CARD)
    entry.value = json.dumps(draw(confused(json.loads(entry.value))))
    return made.SerializeToString()


@tried(0.5)
@given(content=policies())
def test_policies(content):
    try:
        policy = OnnxPolicy(content, LAYOUT, "cartpole", "joint", 0)
    except PolicyRefused as refusal:
        said(refusal)
    else:
        decisions = policy.decide(np.zeros(len(policy.card.seen), np.float32), np.zeros(1, np.float32))
        assert decisions.shape == (1,)


def journal(chunks=4, each=6) -> tuple[bytes, list[Entry]]:
    entries = [Entry(content_of(n), n, 10**9 * n, 20 * n) for n in range(chunks * each)]
    raw = BytesIO()
    file = JournalFile(raw, "/transition", LEARNED.layout_hash)
    for k in range(chunks):
        file.append(entries[k * each : (k + 1) * each])
    file.end()
    return raw.getvalue(), entries


JOURNAL, ENTRIES = journal()


@tried()
@given(content=damaged(JOURNAL))
def test_journals(folder, content):
    path = folder / "journal_000001.mcap"
    path.write_bytes(content)
    contents, written = read(path), {entry.content for entry in ENTRIES}
    assert {entry.content for entry in contents.entries} <= written, "what was changed is read"
    assert count(path) >= 0
    held(list(contents.entries))
    repair(path, contents)
    assert [entry.content for entry in read(path).entries] == [entry.content for entry in contents.entries]


@tried(0.3)
@given(data=st.data())
def test_a_learner_starts_again_whatever_became_of_its_folder(folder, progress, data):
    """As the node starts it. A crash there would be a crash at every start."""
    learner, kept = progress
    layout = FeatureLayout(LEARNED)
    for path in folder.iterdir():
        path.unlink()
    versions = Versions(folder, layout)
    versions.save(1, data.draw(damaged(to_bytes(learner.incumbent, learner.card))))
    (folder / FILE).write_bytes(data.draw(damaged(kept)))
    (folder / "journal_000001.mcap").write_bytes(data.draw(damaged(JOURNAL)))
    newest, told = versions.newest(), []
    again = Learner(LEARNED, quick_config(), *(newest[:2] if newest else ()))
    memory = RunMemory(folder, layout, "/transition", JournalConfig(), told.append)
    try:
        memory.resume(again, Inbox())
    finally:
        memory.close()
    assert len(again.buffer) <= len(ENTRIES) and files(folder)


def loads(load, path: Path, content: bytes):
    path.write_bytes(content)
    try:
        return load(str(path))
    except ConfigError as error:
        said(error)
        return None


def dumped(tree) -> bytes:
    return yaml.safe_dump(tree, allow_unicode=True).encode()


YAML = (
    "a: &a [1, 2]\nb: *a",
    "a: 2020-13-45",
    "? [1, 2]\n: 3",
    "a: !!python/object/apply:os.system [ls]",
    "a: !!int ''",
)
BOMB = "\n".join([f"a{n + 1}: &a{n + 1} [{', '.join(9 * [f'*a{n}'])}]" for n in range(12)])
texts = st.one_of(
    words.map(str.encode), st.sampled_from([text.encode() for text in YAML]), st.just(b"a0: &a0 [x]\n" + BOMB.encode())
)


@tried()
@given(content=st.one_of(damaged(RUN.read_bytes()), confused(yaml.safe_load(RUN.read_text())).map(dumped), texts))
def test_runs(folder, content):
    loads(load_run, folder / "run.yaml", content)


@tried()
@given(content=st.one_of(damaged(ROBOT.read_bytes()), confused(yaml.safe_load(ROBOT.read_text())).map(dumped), texts))
def test_robots(folder, content):
    loads(load_robot, folder / "robot.yaml", content)


@tried()
@given(name=st.sampled_from(["planner.mppi.samples", "planner.mode", "robot", "guard.max_age", "planner", "nothing"]),
       value=st.one_of(texts.map(bytes.decode), words))  # fmt: skip
def test_settings_of_the_command_line(name, value):
    try:
        with_settings(load_run("cartpole_mpc"), [f"{name}={value}"])
    except ConfigError as error:
        said(error)


@tried()
@given(st.one_of(words, st.lists(st.lists(st.one_of(words, st.floats().map(str))).map(",".join)).map(";".join)))
def test_commands_of_the_command_line(text):
    try:
        assert all(len(command) == 3 and np.isfinite(command).all() for command in parse_commands(text))
    except ConfigError as error:
        said(error)


@tried()
@given(st.one_of(words, st.lists(st.integers(-5, 70).map(str)).map(",".join), st.text("0123456789,- ", max_size=12)))
def test_cores(text):
    try:
        assert all(core >= 0 for core in cores_of(text))
    except ConfigError as error:
        said(error)


@tried()
@given(data=st.data())
def test_faults(data):
    spec = load_robot("go1_like")
    values = st.one_of(words, st.floats().map(str), st.sampled_from([*faults.TOPICS, *spec.joint_names]))
    keys = st.sampled_from(["topic", "joint", "size", "share", "after", "duration", "nothing"])
    entry = st.tuples(st.one_of(st.sampled_from(list(faults.KINDS)), words), st.lists(st.tuples(keys, values)))
    text = "; ".join(
        " ".join([name, *("=".join(pair) for pair in pairs)]) for name, pairs in data.draw(st.lists(entry, max_size=3))
    )
    try:
        found = faults.parse(text, spec)
    except ConfigError as error:
        said(error)
    else:
        assert all(np.isfinite((f.size, f.share, f.after, f.duration)).all() for f in found)
