"""How far a run is, in an interactive terminal: while it lists the cluster, and while the probe runs."""

from concurrent.futures import wait

import pytest

from kubevitals.inventory.cluster import Cluster


def begin(config: pytest.Config) -> None:
    """Begin a line, so that what is shown on the last one stays there."""
    if (reporter := _terminal(config)) and reporter._tw.width_of_current_line:  # noqa: SLF001
        reporter.write("\n")


def show(config: pytest.Config, text: str) -> None:
    """Show how far the run is in place of what was shown before; an empty text removes it."""
    if reporter := _terminal(config):
        reporter.rewrite(text, erase=True)


def _terminal(config: pytest.Config) -> pytest.TerminalReporter | None:
    reporter: pytest.TerminalReporter | None = config.pluginmanager.getplugin("terminalreporter")
    return reporter if reporter is not None and reporter.isatty and config.get_verbosity() >= 0 else None


def load(cluster: Cluster, config: pytest.Config) -> None:
    """Fetch all lists."""
    futures = cluster.prefetch()
    shown = False
    while (state := wait(futures, timeout=1)).not_done:
        show(config, f"listing the cluster: {len(state.done)} of {len(futures)} kinds")
        shown = True
    if shown:
        show(config, "")
