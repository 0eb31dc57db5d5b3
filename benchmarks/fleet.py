"""Measures a roll-up: ``python -m benchmarks.fleet [--clusters N] [--findings N] [--different]``.

The findings files are made up: half of the root causes are the same in all clusters, or none with ``--different``; a
third of the findings are symptoms. The roll-up is a separate process, which writes the page, the JSON, the metrics and
the Markdown.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import msgspec

from benchmarks.runs import MB, process
from kubevitals.diagnosis.result import SCHEMA, ClusterInfo, Item, Place, Report, ReportedFinding, Root
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.findings.finding import Severity

CHECKS = [f"cause-{cause}[variant-{variant}]" for cause in range(30) for variant in range(4)]
NOW = datetime.now(UTC)
COMMAND = "import sys; sys.argv[0] = 'kubevitals'; from kubevitals.plugin.command import main; sys.exit(main())"


def main() -> None:
    """Write the files, roll them up, and print what that took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet", description=__doc__)
    parser.add_argument("--clusters", type=int, default=5_000)
    parser.add_argument("--findings", type=int, default=50)
    parser.add_argument("--different", action="store_true", help="no root cause is the same in two clusters")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, reports = Path(name, "findings"), Path(name, "reports")
        folder.mkdir()
        size = sum(_write(folder, n, options.findings, different=options.different) for n in range(options.clusters))
        files = {"findings": "fleet.json", "html": "fleet.html", "metrics": "fleet.prom", "markdown": "fleet.md"}
        outputs = [f"--{option}={reports / file}" for option, file in files.items()]
        used = process("-c", COMMAND, "fleet", str(folder), "-q", *outputs)
        written = ", ".join(f"{path.name} {path.stat().st_size / MB:.1f} MB" for path in sorted(reports.iterdir()))
    sys.stdout.write(
        f"{options.clusters:,} files, {size / MB:.0f} MB: {used.wall:.1f} s, CPU {used.cpu:.1f} s, peak memory "
        f"{used.peak / MB:.0f} MB, exit code {used.code}; {written}\n"
    )


def _write(folder: Path, number: int, findings: int, *, different: bool) -> int:
    path = folder / f"cluster-{number}.json"
    return path.write_bytes(msgspec.json.format(msgspec.json.encode(_report(number, findings, different)), indent=1))


def _report(number: int, count: int, different: bool) -> Report:
    findings = list(_findings(number, count, different))
    roots = [
        Root(f.id, f.check, f.places[0].object, f.says, f.severity, [s.id for s in findings if s.root == f.id], [])
        for f in findings
        if not f.root
    ]
    return Report(
        schema=SCHEMA,
        kubevitals="0.1.0",
        cluster=ClusterInfo(f"cluster-{number}", f"uid-{number}", "v1.34.1", [], 20, 500),
        taken=NOW,
        finished=NOW,
        seconds=3.0,
        outcome=Outcome.BROKEN,
        counts={Outcome.BROKEN: 10, Outcome.HEALTHY: len(CHECKS) - 10},
        roots=roots,
        findings=findings,
        items=[Item(check, "1.1", Outcome.HEALTHY) for check in CHECKS],
    )


def _findings(number: int, count: int, different: bool) -> Iterator[ReportedFinding]:
    """Yield findings: of three, the third is a symptom of the first; every other root is the same in all clusters."""
    first = ""
    for position in range(count):
        own = f"{number}-{position}" if different or position % 2 else str(position)
        id_ = blake2b(own.encode(), digest_size=10).hexdigest()
        first = first if position % 3 else id_
        name = f"Deployment/team-{position % 20}/app-{own}"
        yield ReportedFinding(
            id=id_,
            check=CHECKS[position * 7 % len(CHECKS)],
            severity=Severity.ERROR if position % 4 else Severity.WARNING,
            namespace=f"team-{position % 20}",
            owner=name,
            says=f'container "app": image "registry.example/app-{own}:1.2" cannot be pulled: not found in the registry',
            also=[],
            remedy="correct the image's name and tag in the workload's template, or push the image to the registry",
            look=f"kubectl -n team-{position % 20} describe deployment/app-{own}",
            evidence=[
                f"event {line}m ago: Warning Failed: a line of the usual length about app-{own}" for line in range(8)
            ],
            places=[Place(f"Pod/team-{position % 20}/app-{own}-{replica}", f"node-{replica}") for replica in range(3)],
            concerns=[],
            missing=[],
            first_seen=NOW,
            root=first if position % 3 == 2 else "",
            cause=first if position % 3 == 2 else "",
        )


if __name__ == "__main__":
    main()
