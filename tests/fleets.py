"""Fleets that are built in memory: findings files without a run."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec.structs import replace

from kubevitals.diagnosis.result import ClusterInfo, Report
from kubevitals.diagnosis.verdict import Verdict
from kubevitals.fleet.clusters import When, clusters, in_order
from kubevitals.fleet.clusters_file import Listed
from kubevitals.fleet.compare import Earlier
from kubevitals.fleet.gather import gather
from kubevitals.fleet.result import FleetCluster, Rollup
from kubevitals.fleet.rollup import rollup
from tests.fakes import NOW
from tests.findings import finding, report_of, verdict

PREMIUM = verdict(
    "volume-claim[unbound]",
    finding("PersistentVolumeClaim/shop/data", missing=(finding("StorageClass/premium").obj,)),
)
"""A claim whose StorageClass does not exist."""

CRASH = verdict("startup-error[app-exit]", finding("Pod/shop/web-0", says="exits"))
FINE = verdict("startup-error[app-exit]"), verdict("volume-claim[unbound]")
"""All checks of these clusters, without findings."""


def report(*verdicts: Verdict, context: str, uid: str = "", taken: datetime = NOW, version: str = "v1.34.1") -> Report:
    """Return the result of a run on a cluster; checks without a verdict found nothing."""
    given = {each.check for each in verdicts}
    whole = report_of(*verdicts, *(each for each in FINE if each.check not in given))
    return replace(whole, cluster=ClusterInfo(context, uid, version), taken=taken)


def write(folder: Path, name: str, content: Report | str | bytes) -> None:
    """Write a findings file."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    data = msgspec.json.encode(content) if isinstance(content, Report) else content
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def rolled_up(
    folder: Path, listed: Sequence[Listed] | None = None, *, now: datetime = NOW, earlier: Earlier | None = None
) -> Rollup:
    """Return the result of all findings files in a folder."""
    when, before = When(now, 26 * 3600), earlier or Earlier()
    candidates, remarks = gather(folder, listed, now)
    seen = clusters(candidates, when, folder, folder / "fleet.html")
    vanished = before.vanished(seen) if listed is None else []
    return rollup(in_order([*seen, *vanished]), when, before, remarks)


def by_name(result: Rollup) -> dict[str, FleetCluster]:
    """Return the clusters by their names."""
    return {cluster.name: cluster for cluster in result.clusters}
