"""Messages that were refused, by reason. A reason may quote what a stranger has sent: nothing grows without end."""

from __future__ import annotations

from collections import Counter

MOST_REASONS, MOST_LETTERS = 20, 200
OTHERS = "refused for other reasons"


class Refusals(Counter):
    """How often each reason was given."""

    def note(self, reason: str) -> bool:
        """Counts it; whether it is new, and worth a line in the log."""
        reason = reason if len(reason) <= MOST_LETTERS else reason[:MOST_LETTERS] + " ..."
        if reason not in self and len(self) >= MOST_REASONS:
            reason = OTHERS
        self[reason] += 1
        return self[reason] == 1
