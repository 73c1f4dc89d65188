"""`mbrl bag info`: how much is in a journal."""

from learning_driver import transition
from rclpy.serialization import serialize_message
from test_cli import mbrl

from mbrl_ros.data.journal import Journal
from mbrl_ros.data.journal_file import Entry
from mbrl_ros.learning.bag_command import held
from mbrl_ros.nodes.messages.learning import transition_message


def entry(number, start_ns=1):
    t = transition(number, start_ns=start_ns)
    return Entry(serialize_message(transition_message(t)), number, 1_790_000_000_000_000_000, t.stamp_ns)


def journal(folder, *entries):
    one = Journal(folder, "/transition", "abc", 1.0, 10.0)
    for e in entries:
        one.add(e)
    one.flush()
    return one


def test_gaps_starts_and_repeats_are_counted():
    sent = [*map(entry, range(5)), entry(4), *map(entry, range(8, 10)), entry(0, start_ns=2), Entry(b"", 1, 1, 1)]
    about = held(sent)
    assert (about.transitions, about.repeated, about.refused) == (8, 1, 1)
    assert (about.sequences, about.planners, about.missing, about.step) == (3, 2, 3, 0.04)


def test_info_of_a_run_tells_seconds_and_what_was_cut_off(tmp_path, capsys):
    journal(tmp_path, *map(entry, range(50))).close()
    journal(tmp_path, *map(entry, range(50, 75)))
    last = tmp_path / "journal_000002.mcap"
    last.write_bytes(last.read_bytes() + b"\6torn")
    status, said, _ = mbrl(capsys, "bag", "info", str(tmp_path))
    said = " ".join(said.replace("│", " ").split())
    assert status == 0
    assert "3.0 s in 75 steps of 40 ms" in said and "1 unbroken" in said and "0 by their numbers" in said
    assert "ended" in said and "5 bytes" in said


def test_info_of_nothing_says_where_journals_are(tmp_path, capsys):
    status, _, error = mbrl(capsys, "bag", "info", str(tmp_path / "none.mcap"))
    assert status == 2 and "runs/" in error
    status, _, error = mbrl(capsys, "bag", "info", str(tmp_path))
    assert status == 2 and "learner.journal.enabled" in error


def test_info_of_numbers_beyond_any_count_says_that_they_are_no_transitions(tmp_path, capsys):
    spoilt = serialize_message(transition_message(transition(1, stamp_ns=2**53 * 10**9)))
    journal(tmp_path, entry(0), Entry(spoilt, 1, 2**64 - 1, 1)).close()
    status, said, _ = mbrl(capsys, "bag", "info", str(tmp_path))
    assert status == 0 and "1 no transitions, the first: transition whose" in " ".join(said.split())
