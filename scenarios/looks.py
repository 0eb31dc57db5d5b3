"""The looks at a broken cluster until it shows each scenario: containers that crash come and go."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from scenarios.harness import Scenario, Seen

State = Callable[[Seen], None]
"""The function of a scenario, by which it is known: it asserts the state."""

LATEST = 5
"""Looks one of which must show a scenario as it is stated, so that no two scenarios must be shown at once."""


class Look(NamedTuple):
    """A recording, and the scenarios that it does not show as they are stated."""

    path: Path
    unmet: dict[State, str]


class Looks:
    """Copies of the recordings that are taken of one cluster, one after another."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name, self._taken = folder, name, list[Look]()

    def __len__(self) -> int:
        return len(self._taken)

    def add(self, recording: Path, unmet: Sequence[Scenario]) -> None:
        """Keep a copy of a recording."""
        copy = self._folder / f"{self._name}-{len(self)}.recording"
        shutil.copy(recording, copy)
        self._taken.append(Look(copy, {scenario.state: scenario.name for scenario in unmet}))

    @property
    def missed(self) -> list[str]:
        """The names of the scenarios that none of the latest looks shows."""
        latest = self._taken[-LATEST:]
        return sorted(name for state, name in latest[0].unmet.items() if all(state in look.unmet for look in latest))

    @property
    def best(self) -> Look:
        """The one of the latest looks that shows most."""
        return min(self._taken[-LATEST:], key=lambda look: len(look.unmet))

    def elsewhere(self) -> dict[State, Path]:
        """Return the latest look that shows a scenario, for those that the best look does not show."""
        return {state: look.path for state in self.best.unmet for look in self._taken if state not in look.unmet}
