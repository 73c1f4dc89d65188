"""Which model the planner flies: read in a thread, taken over between two ticks, given up where it makes no plans.

The thread also brings a model into the form that planning runs, so that taking it over is an exchange of references.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from mbrl_ros.control import realtime
from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.ensemble import Ensemble
from mbrl_ros.dynamics.native import planning_model
from mbrl_ros.dynamics.storage import Card, ModelRefused, from_bytes

GIVE_UP_AFTER = 5  # ticks in a row without a plan, by which time the guard holds stance
NO_MODEL = (None, 0)


class FlownModel:
    """Decides what model `agent` has, beginning with `first`.

    After each decision `tell` is called: with what went wrong, or with nothing where a new model is flown.
    """

    def __init__(self, agent: Agent, first: tuple[Ensemble, Card] | None, tell: Callable[[str], None]):
        self.refused: dict[int, str] = {}  # versions that will never be flown again, and why
        self.swaps = 0
        self._agent, self._tell = agent, tell
        self._flown = (self._ready(first[0]), first[1].version) if first else NO_MODEL
        self._before = NO_MODEL  # what to go back to
        self._failures = 0  # ticks in a row without a plan
        self._loading: deque[Future] = deque()
        self._loader = ThreadPoolExecutor(1, thread_name_prefix="model")
        if first:
            agent.set_model(*self._flown)

    @property
    def newest_known(self) -> int:
        """The highest version that is flown or refused: whoever waits for it waits no longer."""
        return max(self._flown[1], *self.refused, 0)

    def offer(self, content: bytes) -> None:
        """A model as it came: read beside the running one."""
        self._loading.append(self._loader.submit(self._read, content))

    def take(self, wait: bool = False) -> None:
        """Between two ticks: takes over what has been read, in the order in which it came; `wait`: what has come."""
        while self._loading and (wait or self._loading[0].done()):
            try:
                model, card = self._loading.popleft().result()
            except ModelRefused as refusal:
                if refusal.version is not None and refusal.version != self._flown[1]:
                    self.refused[refusal.version] = str(refusal)
                self._tell(f"refused a model: {refusal}")
                continue
            if card.version not in self.refused and card.version != self._flown[1]:
                self._before = self._flown
                self._fly(model, card.version)
                self._tell("")

    def planned(self) -> None:
        self._failures = 0

    def failed(self, reason: str) -> None:
        """A tick without a plan. The guard goes to stance; a model that has brought it there is not flown again."""
        self._failures += 1
        version = self._flown[1]
        if self._failures < GIVE_UP_AFTER or self._flown is NO_MODEL:
            return
        self.refused[version] = reason
        before, self._before = self._before, NO_MODEL
        self._fly(*before)
        if before is NO_MODEL:
            self._tell(f"model {version} is given up, and there is none to go back to: {reason}")
        else:
            self._tell(f"back from model {version} to {before[1]}: {reason}")

    def close(self) -> None:
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _read(self, content: bytes) -> tuple[object, Card]:
        realtime.step_back()
        model, card = from_bytes(content, self._agent.layout)
        return self._ready(model), card

    def _ready(self, model: Ensemble):
        config = self._agent.config
        return planning_model(model, config.precision, config.threads)

    def _fly(self, model, version: int) -> None:
        self._agent.set_model(model, version)
        self._flown = NO_MODEL if model is None else (model, version)
        self._failures = 0
        self.swaps += 1
