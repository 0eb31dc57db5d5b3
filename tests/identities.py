"""What makes findings the same from version to version: of each recording, the identities of all findings."""

import json
from hashlib import blake2b
from pathlib import Path

from kubevitals.diagnosis.identity import identity
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.findings.explains import declared
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.recording import Snapshot
from scenarios.harness import RECORDINGS, check_modules, verdicts

KEPT = Path(__file__).parent / "recorded/identities.json"
"""Made by `tools/identities`; what changes there, users of --compare see as new."""


def digest(recording: Path) -> str:
    """Return what tells whether a cluster was recorded again."""
    return blake2b(recording.read_bytes(), digest_size=8).hexdigest()


def identities(recording: Path) -> list[str]:
    """Return each finding as its identity, that of its root, its check, object and severity."""
    cluster = Cluster(Snapshot(recording))
    cases = [Case(v.cause, v.variant, finding, known) for v in verdicts(cluster) for finding, known in v.judged]
    roots = roots_of(cases, declared(check_modules().values()))
    cluster.close()
    return sorted(
        f"{_id(case)} of {_id(roots[case])}: {case.check} {case.finding.obj} {case.finding.severity}" for case in cases
    )


def _id(case: Case) -> str:
    return identity(case.check, case.finding)


def as_json() -> str:
    """Return what is kept of all recordings."""
    recordings = sorted(RECORDINGS.glob("*.recording"))
    return json.dumps({p.stem: {"digest": digest(p), "findings": identities(p)} for p in recordings}, indent=1) + "\n"
