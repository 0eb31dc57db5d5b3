"""What makes findings the same from version to version: of each recording, the identities of all findings."""

import json
from hashlib import blake2b
from pathlib import Path

from kubevitals.diagnosis.identity import identity
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.findings.explains import declared
from scenarios.harness import RECORDINGS, check_modules
from scenarios.judge import of_repository

KEPT = Path(__file__).parent / "recorded/identities.json"
"""Made by `tools/identities`; what changes there, users of --compare see as new."""


def digest(recording: Path) -> str:
    """Return what tells whether a cluster was recorded again."""
    return blake2b(recording.read_bytes(), digest_size=8).hexdigest()


def identities(recording: Path) -> list[str]:
    """Return each finding on a recording as its identity, that of its root, its check, object and severity."""
    verdicts = of_repository().judged(recording).verdicts
    cases = [Case(v.cause, v.variant, finding, known) for v in verdicts for finding, known in v.judged]
    roots = roots_of(cases, declared(check_modules().values()))
    return sorted(
        f"{_id(case)} of {_id(roots[case])}: {case.check} {case.finding.obj} {case.finding.severity}" for case in cases
    )


def _id(case: Case) -> str:
    return identity(case.check, case.finding)


def as_json() -> str:
    """Return what is kept of all recordings."""
    recordings = sorted(RECORDINGS.glob("*.recording"))
    kept = {path.stem: {"digest": digest(path), "findings": identities(path)} for path in recordings}
    return json.dumps(kept, indent=1) + "\n"
