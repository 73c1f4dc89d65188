"""What is learned is signed with a key, where there is one; what is not, is refused by name."""

import os

import pytest
from test_flown_model import flown, offered

from mbrl_ros.authentic import ENVIRONMENT, is_signed, read_key, signature
from mbrl_ros.config import ConfigError, VersionRefused
from mbrl_ros.nodes.messages.learning import bytes_message, bytes_of, sign_message, signature_of
from mbrl_ros.nodes.offers import opened
from mbrl_ros.runs import load_run, parameter_text
from mbrl_ros.stack import Options, configured

KEY, OTHER = b"0123456789abcdef", b"fedcba9876543210"
CONTENT = b"weights" * 1000


@pytest.fixture
def key_file(tmp_path, monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    path = tmp_path / "key"
    path.write_bytes(KEY + b"\n")
    path.chmod(0o600)
    return path


def test_no_key_is_asked_for_by_itself(monkeypatch):
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    assert read_key() is None


def test_key_is_read_from_the_file_of_the_setting_or_else_of_the_environment(key_file, monkeypatch, tmp_path):
    assert read_key(str(key_file)) == KEY
    monkeypatch.setenv(ENVIRONMENT, str(key_file))
    assert read_key() == KEY
    with pytest.raises(ConfigError, match="other"):
        read_key(str(tmp_path / "other"))


def test_key_file_that_is_missing_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match=r"gone: No such file.*openssl rand"):
        read_key(str(tmp_path / "gone"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_key_file_that_others_can_read_is_refused_with_the_mend(key_file, mode):
    key_file.chmod(mode)
    with pytest.raises(ConfigError, match=f"mode {mode:04o}.; chmod 600 {key_file}"):
        read_key(str(key_file))


@pytest.mark.parametrize(("content", "why"), [(b"", "empty"), (b" \n", "empty"), (b"short\n", "has 5 bytes")])
def test_key_that_is_none_is_refused(key_file, content, why):
    key_file.write_bytes(content)
    with pytest.raises(ConfigError, match=why):
        read_key(str(key_file))


def test_folder_or_pipe_is_no_key_file_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(ConfigError, match="not a file"):
            read_key(str(path))


def test_signature_is_of_the_key_the_kind_and_every_byte():
    signed = signature(KEY, "model", CONTENT)
    assert is_signed(KEY, "model", CONTENT, signed)
    assert not is_signed(OTHER, "model", CONTENT, signed)
    assert not is_signed(KEY, "policy", CONTENT, signed)
    assert not is_signed(KEY, "model", CONTENT[:-1] + b"x", signed)
    assert not is_signed(KEY, "model", CONTENT, "")
    assert not is_signed(KEY, "model", CONTENT, "§" + signed[1:])


def signed_message(key=KEY, kind="model"):
    message = bytes_message(CONTENT)
    sign_message(message, signature(key, kind, CONTENT))
    return message


def test_signed_message_is_read_with_the_key_and_without_one():
    message = signed_message()
    assert bytes_of(message) == CONTENT and signature_of(message)
    assert opened(message, "model", KEY) == CONTENT
    assert opened(message, "model", None) == CONTENT


def test_unsigned_message_is_read_without_a_key_only():
    assert opened(bytes_message(CONTENT), "model", None) == CONTENT
    with pytest.raises(VersionRefused, match="not signed"):
        opened(bytes_message(CONTENT), "model", KEY)


def test_message_that_was_signed_otherwise_or_changed_since_is_refused():
    changed = signed_message()
    changed.data[3] ^= 1
    for message in (signed_message(key=OTHER), signed_message(kind="policy"), changed):
        with pytest.raises(VersionRefused, match="signature is wrong"):
            opened(message, "model", KEY)


def test_start_with_a_key_that_cannot_be_used_is_refused_before_anything_starts(key_file, monkeypatch):
    options = Options(model="scratch", settings=(f"key_file={key_file}",))
    run = configured(load_run("quadruped_mpc"), options)
    assert run.planner.key_file == run.learner.key_file == str(key_file)
    assert KEY.decode() not in parameter_text(run)
    monkeypatch.setenv(ENVIRONMENT, str(key_file))
    assert configured(load_run("quadruped_mpc"), Options(model="scratch")).learner.key_file == str(key_file)
    key_file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        configured(load_run("quadruped_mpc"), options)


def test_where_models_are_signed_an_old_one_that_somebody_kept_is_refused():
    models, agent, told = flown(5)
    models.only_newer = True
    offered(models, 4)
    assert agent.model_version == 5 and "refused a model: 4 is older than 5" in told.last
    offered(models, 6)
    assert agent.model_version == 6 and told.last == ""


def test_where_nothing_is_flown_any_more_an_older_model_that_is_signed_is_flown_again():
    models, agent, told = flown(5)
    models.only_newer = True
    for _ in range(5):
        models.failed("no finite score")
    assert agent.model_version == 0
    offered(models, 4)
    assert agent.model_version == 4
