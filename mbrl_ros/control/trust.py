"""How far the robot goes by its model: the slower it is commanded, the more the ensemble doubts its plans.

    doubt   P(the model is off by more than usual), smoothed, of what the members disagree by along the plan
    share   of the commanded speed: 1 up to a doubt of `limit_from`, falling in a straight line to `least` at `limit_to`

Above `stop_above` for `stop_after` it stands; it walks again once the doubt was below `resume_below` for as long as
`resume_after`. Standing, the plan is one to stand: what there is to doubt about it is the state, not the speed.
"""

from __future__ import annotations

from mbrl_ros.dynamics.calibration import Calibration
from mbrl_ros.settings import TrustConfig

MEMORY = 0.3  # s, over which doubts are smoothed: one odd look does nothing


class Trust:
    """Hears what the ensemble disagrees by; whoever commands the robot asks what is left of the speed."""

    def __init__(self, config: TrustConfig):
        self.config = config
        self.calibration: Calibration | None = None  # of the model that plans; without one nothing is doubted
        self.doubt: float | None = None  # 0..1; None: nobody was asked
        self.stopped = False
        self._since = 0.0  # s for which the doubt has asked for the other of going and standing

    def hear(self, disagreement: float | None, seconds: float) -> None:
        """`disagreement`: along the newest plan; None: there is none. `seconds`: since the last time."""
        if disagreement is None or self.calibration is None:
            self.doubt, self.stopped, self._since = None, False, 0.0
            return
        now = self.calibration.doubt(disagreement)
        keep = max(0.0, 1 - seconds / MEMORY)
        self.doubt = now if self.doubt is None else keep * self.doubt + (1 - keep) * now
        c = self.config
        if not c.enabled:
            self.stopped, self._since = False, 0.0
            return
        turns = self.doubt < c.resume_below if self.stopped else self.doubt > c.stop_above
        self._since = self._since + seconds if turns else 0.0
        if turns and self._since >= (c.resume_after if self.stopped else c.stop_after):
            self.stopped, self._since = not self.stopped, 0.0

    @property
    def share(self) -> float:
        """Of the commanded speed."""
        c = self.config
        if self.doubt is None or not c.enabled:
            return 1.0
        over = (self.doubt - c.limit_from) / (c.limit_to - c.limit_from)
        return 1.0 - min(1.0, max(0.0, over)) * (1.0 - c.least)

    @property
    def unsure(self) -> bool:
        """Whether what comes of it is worth a label."""
        return self.doubt is not None and self.doubt > self.config.limit_from

    @property
    def reason(self) -> str:
        """Why it stands or goes slowly; empty: it does neither."""
        if self.stopped:
            return f"standing: the model is in doubt ({self.doubt:.2f})"
        if self.share < 1.0:
            return f"{100 * self.share:.0f}% of the commanded speed: the model is in doubt ({self.doubt:.2f})"
        return ""
