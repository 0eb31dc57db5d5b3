"""Attacks the checks as a hostile server, cluster or disk would: ``python -m benchmarks.attack [--runs N] [KIND …]``.

Prints for each kind of attack how many runs there were, and how many of them failed: crashed, lost or leaked something,
or took for healthy what was not observed. The same faults are in the tests, which try each once.
"""

import argparse
import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import NamedTuple
from unittest.mock import patch
from xml.etree import ElementTree as ET

from kubernetes.utils.retry import Backoff  # type: ignore[attr-defined]

from benchmarks.credentials import leaks
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.encoding import protobuf
from kubevitals.errors import NotApplicable, NotObserved, Unusable
from kubevitals.inventory import listing
from kubevitals.inventory.cluster import Cluster
from kubevitals.source import live, response
from kubevitals.source.live import Live
from kubevitals.source.recording import DEMOS, Snapshot
from kubevitals.source.request import Answer, Request
from scenarios.harness import RECORDINGS, verdicts
from tests.fake_server import api_server, write_kubeconfig
from tests.test_faults import FAULTS, late, trickling
from tests.test_mutations import RECORDED, Mutated

Attack = Callable[[int, Random], Iterator[str]]
"""Makes about so many runs; yields an empty text for each that passes, and what is wrong with each that does not."""


def faults_of_lists(runs: int, random: Random) -> Iterator[str]:
    """Answer a list with a fault: it must not be observed. All faults and lists are tried, whatever `runs` says."""
    del runs, random
    with tempfile.TemporaryDirectory() as folder, ExitStack() as patches, api_server() as server:
        patches.enter_context(patch.object(response, "BODY_LIMIT", 1_000_000))
        patches.enter_context(patch.object(listing, "PAGES", 5))
        patches.enter_context(patch.object(protobuf, "OBJECTS", 100))
        patches.enter_context(patch.object(live, "_BACKOFF", Backoff(steps=2, duration=0.001, factor=1.0, jitter=0.0)))
        config = str(write_kubeconfig(Path(folder) / "kubeconfig", server.address))
        for name, (fault, _) in FAULTS.items():
            server.otherwise = fault
            slow = 0.2 if fault is trickling else 300
            with patch.object(response, "ANSWER_TIMEOUT", slow):
                cluster = Cluster(Live(kubeconfig=config, read_timeout=0.1 if fault is late else 10))
                yield from (_read(cluster, each.name, name) for each in Cluster.listings())
                cluster.close()


def _read(cluster: Cluster, name: str, fault: str) -> str:
    try:
        getattr(cluster, name)
    except (NotObserved, NotApplicable):
        return ""
    return f"{name}: {fault}: observed"


class _Blind(Snapshot):
    """A recorded cluster that does not answer to one path, or refuses it."""

    def __init__(self, path: Path, blind: str, *, refuses: bool) -> None:
        super().__init__(path)
        self._blind, self._refuses = blind, refuses

    def get(self, request: Request) -> Answer:
        """Return the recorded answer, unless it is that of the path."""
        if request.path != self._blind:
            return super().get(request)
        if self._refuses:
            return Answer(403, b'{"kind": "Status", "message": "forbidden: attack"}')
        raise NotObserved("attack")


def blind_paths(runs: int, random: Random) -> Iterator[str]:
    """Refuse one path of a recording: what was broken must not become healthy, and nothing may crash."""
    recordings = sorted(RECORDINGS.glob("*.recording"))
    for _ in range(runs):
        path = random.choice(recordings)
        blind = random.choice(Snapshot(path).paths)
        before = {verdict.check: verdict.outcome for verdict in verdicts(Cluster(Snapshot(path)))}
        after = verdicts(Cluster(_Blind(path, blind, refuses=random.random() < 0.5)))
        lost = [v.check for v in after if v.outcome is Outcome.HEALTHY and before[v.check] is Outcome.BROKEN]
        yield f"{path.stem} without {blind}: {', '.join(lost)} healthy" if lost else ""


def mutated_clusters(runs: int, random: Random) -> Iterator[str]:
    """Change objects of a recorded cluster at random: no check may crash."""
    for _ in range(runs):
        cluster = Cluster(Mutated(random.choice(RECORDED), random), secret_names=True)
        yield "" if verdicts(cluster) else "no verdict"


def flipped_recordings(runs: int, random: Random) -> Iterator[str]:
    """Flip bits of a recording, packed and unpacked: it is refused, or what it says is read."""
    whole = DEMOS["demo"].read_bytes()
    unpacked = gzip.decompress(whole)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flipped.recording"
        for number in range(runs):
            content = bytearray(whole if number % 2 else unpacked)
            for _ in range(random.randint(1, 8)):
                content[random.randrange(len(content))] ^= 1 << random.randrange(8)
            path.write_bytes(content if number % 2 else gzip.compress(content, 1))
            yield _replayed(path)


def _replayed(path: Path) -> str:
    try:
        cluster = Cluster(Snapshot(path))
    except Unusable:
        return ""
    for each in Cluster.listings():
        _read(cluster, each.name, "")
    return ""


def credentials(runs: int, random: Random) -> Iterator[str]:
    """Plant every credential of the table in every place: none may be in the recording. `runs` counts for nothing."""
    del runs, random
    return leaks()


KUBECONFIGS = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"[]",
    b"{}",
    b"x",
    b"clusters: 1",
    b"&a [*a, *a]",
    b"{" * 50_000,
    b"current-context: a\ncontexts: [{name: a}]",
    b"current-context: a\ncontexts: [{name: a, context: {cluster: b, user: c}}]\nclusters: []\nusers: []",
    b"current-context: a\ncontexts: [{name: a, context: {cluster: b}}]\nclusters: [{name: b, cluster: {}}]",
    *(
        b"current-context: a\ncontexts: [{name: a, context: {cluster: a}}]\n"
        b"clusters: [{name: a, cluster: {server: '%b'}}]" % url
        for url in (b"", b"ftp://x", b"https://", b"https://x:99999", b"https://[::1", b"//x", b"https://x y", b"\\x1b")
    ),
)


def kubeconfigs(runs: int, random: Random) -> Iterator[str]:
    """Load odd files, and kubeconfigs with flipped bits: each is usable, or refused in one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kubeconfig"
        whole = write_kubeconfig(path, "https://127.0.0.1:1").read_bytes()
        for number in range(len(KUBECONFIGS) + runs):
            content = bytearray(KUBECONFIGS[number] if number < len(KUBECONFIGS) else whole)
            if number >= len(KUBECONFIGS):
                content[random.randrange(len(content))] ^= 1 << random.randrange(8)
            path.write_bytes(content)
            try:
                Live(kubeconfig=str(path)).close()
            except Unusable as error:
                yield "" if str(error).isprintable() else f"kubeconfig {number}: {error!r}"
            else:
                yield ""


REPORTS = {"--junitxml": "junit.xml", "--findings": "findings.json", "--markdown": "summary.md", "--html": "page.html"}
OLD = "what was there before"


def signals(runs: int, random: Random) -> Iterator[str]:
    """End runs by a signal at any moment: each report is whole, or the one before. Python may still be starting."""
    for _ in range(max(1, runs // 10)):
        number = random.choice((signal.SIGINT, signal.SIGTERM, signal.SIGKILL))
        yield _ended(["timeout", f"--signal={number}", f"{random.uniform(0.3, 6):.2f}"])[0]


def full_disks(runs: int, random: Random) -> Iterator[str]:
    """Let files become no longer than so many bytes: each report is whole, or the one before.

    pytest itself starts only where a temporary file may have a few bytes.
    """
    for _ in range(max(1, runs // 10)):
        yield "".join(_ended(["prlimit", f"--fsize={random.choice((20, 100, 1000, 20_000, 100_000))}"]))


def _ended(prefix: Sequence[str]) -> tuple[str, str]:
    """Run checks on the demo under a command.

    Returns:
        Which report is neither whole nor the one before, and whether the run crashed, or empty texts.
    """
    with tempfile.TemporaryDirectory() as folder:
        for file in REPORTS.values():
            Path(folder, file).write_text(OLD)
        files = [f"{option}={Path(folder, file)}" for option, file in REPORTS.items()]
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "checks/", "--snapshot=demo", *files]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        told = subprocess.run(  # noqa: S603 - a module of ours
            [*prefix, *command, "--self-contained-html"], env=environment, capture_output=True, check=False
        )
        broken = [file for file in REPORTS.values() if not _is_whole(Path(folder, file))]
        how = " ".join(prefix)
        crashed = f"{how}: crashed " if b"Traceback" in told.stdout + told.stderr else ""
        return f"{how}: {broken} " if broken else "", crashed


def _is_whole(path: Path) -> bool:
    text = path.read_text()
    try:
        if path.suffix == ".json" and text != OLD:
            json.loads(text)
        if path.suffix == ".xml" and text != OLD:
            ET.fromstring(text)  # noqa: S314 - written by us
    except (ValueError, ET.ParseError):
        return False
    return text == OLD or path.suffix != ".html" or text.rstrip().endswith("</html>")


ATTACKS: dict[str, Attack] = {
    "faults of lists": faults_of_lists,
    "blind paths": blind_paths,
    "mutated clusters": mutated_clusters,
    "flipped recordings": flipped_recordings,
    "credentials": credentials,
    "kubeconfigs": kubeconfigs,
    "signals": signals,
    "full disks": full_disks,
}


class Result(NamedTuple):
    """How an attack went."""

    runs: int
    failures: list[str]


def result(attack: Attack, runs: int, random: Random) -> Result:
    """Make the runs of an attack; an exception that ends it is a failure of its last run."""
    failures, count = [], 0
    try:
        for failure in attack(runs, random):
            count += 1
            failures += [failure] if failure else []
    except Exception as error:
        return Result(count + 1, [*failures, f"crashed: {error!r}"])
    return Result(count, failures)


def main() -> None:
    """Attack, and print the table; the exit code is 1 if something failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attack", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"one of: {', '.join(ATTACKS)} (default: all)")
    parser.add_argument("--runs", type=int, default=300, help="how many runs an attack makes at random (default: 300)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    failed = False
    sys.stdout.write("| attack | runs | failed |\n| --- | --- | --- |\n")
    for name in options.kinds or ATTACKS:
        found = result(ATTACKS[name], options.runs, Random(options.seed))  # noqa: S311 - no secret depends on it
        failed |= bool(found.failures)
        sys.stdout.write(f"| {name} | {found.runs:,} | {len(found.failures):,} |\n")
        sys.stdout.flush()
        sys.stderr.writelines(f"{failure}\n" for failure in found.failures[:20])
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
