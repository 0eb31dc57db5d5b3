"""Reads the command-line options: which cluster is checked, and what is compared."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from kubevitals.diagnosis import history, known_issues
from kubevitals.diagnosis.kept_runs import KeptRuns, open_folder
from kubevitals.diagnosis.result import ClusterInfo
from kubevitals.errors import Unusable
from kubevitals.input_files import require_readable
from kubevitals.inventory.cluster import Cluster
from kubevitals.plugin import probe_options
from kubevitals.plugin.options import NO_REDACT
from kubevitals.plugin.state import LIVE
from kubevitals.redaction import redacting
from kubevitals.source.bundle.files import is_bundle
from kubevitals.source.bundle.kinds import Kind
from kubevitals.source.recording import DEMOS, KUBELET, PROBE, SECRET_NAMES, Recording, Snapshot
from kubevitals.source.request import Source
from kubevitals.source.scope import Scope
from kubevitals.text import clean
from kubevitals.threshold import Threshold, parse_thresholds, seconds

ARCHIVE_SIZE = 1 << 40
"""Bytes of a recording or of a support bundle as a file; what it unpacks to has narrower limits."""

MAX_TIMEOUT = 3600
"""Seconds: the longest read timeout that a user may choose."""


def open_cluster(config: pytest.Config, thresholds: dict[str, Threshold]) -> Cluster:
    """Return the cluster that the options choose; nothing is requested from it yet.

    Raises:
        Unusable: the value of an option cannot be used.
    """
    values = parse_thresholds(config.getoption("threshold"), thresholds)
    opened = _opened(config)
    cluster = Cluster(
        opened.source,
        values,
        secret_names=config.getoption("secret_names"),
        ask_kubelets=config.getoption("kubelet") != "none",
        cni_daemon_sets=_cni_daemon_sets(config),
        probe=probe_options.chosen(config) if config.getoption("probe") else None,
        scope=opened.scope,
        name=config.getoption("display_name") or "",
    )
    cluster.remarks += [*opened.remarks, *kept_credentials(opened.source)]
    return cluster


def kubectl_options(config: pytest.Config) -> dict[str, str]:
    """Return the options with which kubectl would use the same cluster."""
    given = {option: config.getoption(option) for option in ("--kubeconfig", "--context")}
    return {option: value for option, value in given.items() if value}


def _cni_daemon_sets(config: pytest.Config) -> list[str]:
    names: list[str] = config.getoption("cni_daemonset")
    for name in names:
        if name.count("/") != 1 or not all(name.split("/")):
            raise Unusable(f"--cni-daemonset {clean(name)}: give NAMESPACE/NAME")
    return names


def kept_credentials(source: Source) -> list[str]:
    """Return what the user should know if credentials are not redacted."""
    remarks = [] if redacting() else [f"nothing is redacted ({NO_REDACT}): the output may contain credentials"]
    if isinstance(source, Snapshot) and source.header.unredacted:
        remarks.append(f"the recording was made with {NO_REDACT}: it may contain credentials")
    return remarks


def earlier(config: pytest.Config) -> history.History | None:
    """Return the findings of the run that --compare names; nothing if it is not given.

    Raises:
        Unusable: they cannot be read, the file is not a findings file, or there is nothing that --only-new compares
            with.
    """
    if path := config.getoption("compare"):
        return history.load(path)
    if config.getoption("only_new") and not (config.getoption("history") or config.getoption("state")):
        raise Unusable("--only-new needs an earlier run to compare with: add --compare, --history or --state")
    return None


def kept(config: pytest.Config, cluster: Cluster) -> KeptRuns | None:
    """Return the runs of this cluster that --history keeps; nothing if it is not given.

    Raises:
        Unusable: the folder cannot be used.
    """
    if not (folder := config.getoption("history")):
        return None
    runs = open_folder(folder, ClusterInfo(cluster.context, cluster.uid), cluster.now)
    if not runs.newest.report and not config.getoption("compare"):
        runs.remarks.append(f"no earlier run in {clean(str(folder))} to compare with: nothing is new or resolved")
    cluster.remarks += runs.remarks
    return runs


def expected(config: pytest.Config) -> known_issues.KnownIssues:
    """Return the known issues that the options choose.

    Raises:
        Unusable: the file cannot be used.
    """
    return known_issues.load(config.getoption("known_issues"), datetime.now(UTC).date())


class _Opened(NamedTuple):
    """The source that the options choose, the namespaces of it that are checked, and what to know of it."""

    source: Source
    scope: Scope
    remarks: Sequence[str] = ()


def _opened(config: pytest.Config) -> _Opened:
    _refuse_contradictions(config)
    names, excluded = config.getoption("namespace"), config.getoption("exclude_namespace")
    namespaced_only: bool = config.getoption("namespaced_only")
    scope = Scope(names, excluded, namespaced_only=namespaced_only)
    if not (given := config.getoption("snapshot")):
        return _Opened(_recorded(_live(config), scope, config), scope)
    path = DEMOS.get(given) or require_readable(Path(given), ARCHIVE_SIZE)
    later = timedelta(seconds=seconds("--later", config.getoption("later") or "0"))
    if is_bundle(path):
        from kubevitals.source.bundle.bundle import Bundle

        bundle = Bundle(path, bundle_kinds(), given_time(config), later)
        scope = bundle.scope(names, excluded, namespaced_only=namespaced_only)
        return _Opened(_recorded(bundle, scope, config), scope, bundle.remarks)
    _refuse_for_recordings(config)
    snapshot = Snapshot(path, later)
    return _Opened(snapshot, Scope(names, excluded, snapshot.scope, namespaced_only=namespaced_only))


def bundle_kinds() -> list[Kind]:
    """Return the kinds that are read from a bundle: those that checks read."""
    return [Kind.of_list(listing.path, listing.schema, namespaced=listing.namespaced) for listing in Cluster.listings()]


def given_time(config: pytest.Config) -> datetime | None:
    """Return the time that --now gives.

    Raises:
        Unusable: it is not a time.
    """
    if not (text := config.getoption("now")):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unusable(f"--now {clean(text, 60)}: give a time such as 2026-03-01T12:00:00Z") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _live(config: pytest.Config) -> Source:
    from kubevitals.source.live import Live

    timeout = seconds("--request-timeout", config.getoption("request_timeout"))
    if not 0 < timeout <= MAX_TIMEOUT:
        raise Unusable(f"--request-timeout: give more than 0 and at most {MAX_TIMEOUT} s")
    way = config.getoption("kubelet")
    live = config.stash[LIVE] = Live(
        config.getoption("context"),
        config.getoption("kubeconfig"),
        timeout,
        ask_kubelets_directly=way == "direct" if way else None,
        kubelet_insecure_tls=config.getoption("kubelet_insecure_tls"),
    )
    return live


def _recorded(source: Source, scope: Scope, config: pytest.Config) -> Source:
    """Return the source, whose answers are recorded if the user wants that."""
    record = config.getoption("record")
    return Recording(source, record, scope, _left_out(config)) if record else source


def _refuse_contradictions(config: pytest.Config) -> None:
    """Refuse an empty context or recording, which would select another one, and a cluster together with a recording.

    Raises:
        Unusable: there is such an option.
    """
    if given := [] if config.getoption("probe") else probe_options.given(config):
        raise Unusable(f"{given[0]} is an option of the probe: add --probe, or omit it")
    for option in ("context", "kubeconfig", "snapshot"):
        if config.getoption(option) == "":
            raise Unusable(f"--{option} is empty: give a value, or omit the option")
    if not config.getoption("snapshot"):
        _refuse_without_snapshot(config)
    elif config.getoption("probe"):
        raise Unusable("--probe needs a cluster, and a recording replays its own probe: omit --probe or --snapshot")
    elif chosen := kubectl_options(config):
        raise Unusable(f"{next(iter(chosen))} chooses a cluster, and --snapshot a recording: omit one of them")


def _refuse_without_snapshot(config: pytest.Config) -> None:
    for option in ("later", "now"):
        if config.getoption(option):
            raise Unusable(f"--{option} sets the time of a recording or bundle: add --snapshot")


def _refuse_for_recordings(config: pytest.Config) -> None:
    if config.getoption("record"):
        raise Unusable("--record needs a cluster or a support bundle: omit --record or --snapshot")
    if config.getoption("now"):
        raise Unusable("--now sets the time of a support bundle: a recording has its own, which --later moves on")


def _left_out(config: pytest.Config) -> list[str]:
    """Return the options that would have let this run observe more."""
    enabled = {
        PROBE: config.getoption("probe"),
        KUBELET: config.getoption("kubelet") != "none",
        SECRET_NAMES: config.getoption("secret_names"),
    }
    return [option for option, is_enabled in enabled.items() if not is_enabled]
