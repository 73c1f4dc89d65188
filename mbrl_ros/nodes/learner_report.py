"""What the learner says of itself on the diagnostics."""

from __future__ import annotations

from mbrl_ros.data.inbox import Inbox
from mbrl_ros.data.journal import Journal
from mbrl_ros.distilling.live import LiveDistilling
from mbrl_ros.learning.learner import Learner
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.nodes.messages.status import ERROR, WARN


def values(
    state: str, learner: Learner, inbox: Inbox, journal: Journal | None, live: LiveDistilling | None
) -> dict[str, object]:
    found = {
        keys.STATE: state,
        keys.RECEIVED: inbox.received,
        keys.MISSING: inbox.missing,
        "duplicates": inbox.duplicates,
        keys.DATA_SECONDS: learner.seconds,
        keys.VERSION: learner.version,
        keys.PROPOSED: learner.proposed,
        keys.PROMOTED: learner.promoted,
        keys.REFUSED: learner.refused,
    }
    if live:
        found |= {keys.POLICY_VERSION: live.version, keys.DISTILL_ROUNDS: live.rounds}
        if live.last:
            found |= {keys.IMITATION: live.last.imitation, keys.POLICY_REWARD: live.last.reward}
    if journal:
        found |= {keys.JOURNALED: journal.written, keys.NOT_JOURNALED: journal.in_memory + journal.lost}
        found["journal_write_ms_max"] = 1e3 * journal.longest_write
    return found


def verdict(inbox: Inbox, journal: Journal | None) -> tuple[bytes, str] | None:
    """The worst that there is to say of what was received, and kept; None: nothing."""
    if journal and journal.error:
        return ERROR, f"the journal is not written, transitions are in memory only: {journal.error}"
    if journal and journal.left_out:
        return WARN, f"{journal.left_out} transitions cannot be journaled, the last: {journal.objection}"
    if inbox.missing:
        return WARN, f"{inbox.missing} transitions lost"
    return None
