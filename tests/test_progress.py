"""How far a run is, is shown in a terminal only, and does not stay there."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from kubevitals.reports import progress


@pytest.mark.parametrize(("is_terminal", "verbosity", "shown"), [(True, 0, True), (True, -1, False), (False, 0, False)])
def test_progress_is_written_over_itself_in_a_terminal(is_terminal: bool, verbosity: int, shown: bool) -> None:
    written: list[str] = []
    reporter = SimpleNamespace(
        isatty=is_terminal,
        _tw=SimpleNamespace(width_of_current_line=3),
        write=written.append,
        rewrite=lambda text, erase: written.append(f"over it: {text}"),
    )
    config = cast(
        "Any",
        SimpleNamespace(pluginmanager=SimpleNamespace(getplugin=lambda _: reporter), get_verbosity=lambda: verbosity),
    )
    progress.begin(config)
    progress.show(config, "probe: 2 of 6 pods run")
    progress.show(config, "")
    assert written == (["\n", "over it: probe: 2 of 6 pods run", "over it: "] if shown else [])
