"""What models that draw (noise, weights, particles) draw while one plan is found.

At each refinement the same, so that candidates of one are compared with those of another, and a value with its slope,
under equal luck; for the next plan anew. A tree steps one at a time, and each step draws for itself.
"""

from __future__ import annotations


class Luck:
    def __init__(self, model=None):
        """Of a model whose rollouts draw from `generator`; of any other, nothing to do."""
        self._generator = getattr(model, "generator", None)
        self._state = None  # of the generator, where the present plan begins; before the first, each score draws anew

    def anew(self) -> None:
        """Another plan begins."""
        if self._generator is not None:
            self._state = self._generator.get_state()

    def again(self) -> None:
        """Candidates of the same plan are scored."""
        if self._state is not None:
            self._generator.set_state(self._state)
