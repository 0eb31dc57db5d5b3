"""The kind cluster of the scenarios: breaks it, waits for the findings, records it and repairs it."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from kubevitals.diagnosis.verdict import Outcome
from kubevitals.errors import EXIT_NOT_OBSERVED, NotObserved
from scenarios.harness import CHECKS, HERE, MANIFESTS, Scenario, Seen
from scenarios.judge import Judge
from scenarios.looks import LATEST, Looks, State
from scenarios.objects import Object
from scenarios.rights import Grants, service_account

SETTLE = 480
"""Seconds until a fault must show: the slowest are an attach (2 minutes) and the second run of a CronJob."""

LOOKS = 20
"""Runs of the checks for which a fault may take to show, if they take longer than SETTLE: the machine is slow."""

HEAL = 1200
"""Seconds until nothing is found any more after a fault: containers that crashed three times count for 15 minutes."""

PATIENCE = 300
"""Seconds for one step of a scenario: pods start within a few on a fast machine."""

POLL = 2
"""Seconds between two runs of the checks while the cluster settles: each run uses one of its cores."""

ROOT = HERE.parent
RIGHTS = ROOT / "deploy/base/rbac.yaml"
READER = "kubevitals:kubevitals"
"""The service account of deploy/base/rbac.yaml, as kubectl names it."""


class LiveCluster:
    """A kind cluster that pytest-kind created, and a kubeconfig with only the rights of deploy/base/rbac.yaml.

    Attributes:
        moments: the recordings of those scenarios that were not shown together with the others.
    """

    def __init__(self, kind_cluster: Any, folder: Path, work: Path, say: Callable[[str], None]) -> None:
        self._kind, self.name, self.folder, self._say = kind_cluster, kind_cluster.name, folder, say
        self._work, self.kubeconfig = work, work / "reader.kubeconfig"
        self.moments: dict[State, Path] = {}

    def kubectl(self, command: str | list[str], **options: Any) -> str:
        """Run kubectl as the cluster's administrator."""
        arguments = command.split() if isinstance(command, str) else command
        return str(self._kind.kubectl(*arguments, stderr=subprocess.STDOUT, **options))

    def on_node(self, role: str, script: str) -> str:
        """Run a shell script on a node."""
        command = ["docker", "exec", f"{self.name}-{role}", "bash", "-c", script]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def reboot(self, role: str) -> None:
        """Restart the container of a node, which is the closest to a reboot that kind can do."""
        subprocess.run(["docker", "restart", f"{self.name}-{role}"], check=True, capture_output=True)

    def apply(self, objects: Iterable[Object], namespace: str = "") -> None:
        """Create a namespace and objects in it."""
        named = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}] if namespace else []
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [*named, *objects]})
        place = ["-n", namespace] if namespace else []
        self.retry(lambda: self.kubectl(["apply", *place, "-f", "-"], input=self._fill(text)))

    def grant(self) -> None:
        """Create the service account, grant it the rights that options need, and write its kubeconfig."""
        self.kubectl(["apply", "-f", str(RIGHTS)])
        rights = {
            "secret-names": "--verb=list --resource=secrets",
            "kubelets": "--verb=get --resource=nodes/proxy,pods/proxy",
            "probe": "--verb=get,list,create,patch,delete --resource=namespaces,services,pods,daemonsets.apps",
        }
        for name, right in rights.items():
            self._create(f"clusterrole {name} {right}")
            self._create(f"clusterrolebinding {name} --clusterrole={name} --serviceaccount={READER}")
        self._write_kubeconfig("kubevitals", self.kubeconfig)

    def account(self, grants: Grants) -> Path:
        """Create a service account with exactly these rights, and return its kubeconfig."""
        name = f"reader-{secrets.token_hex(3)}"
        self.apply(service_account(name, grants))
        user = f"--as=system:serviceaccount:kubevitals:{name}"
        for place, rights in grants.items():
            verb, resource = max(right for right in rights if "/" not in right[1])
            where = ["-n", place] if place else ["-A"]
            self.retry(lambda asks=(verb, resource, *where): self.kubectl(["auth", "can-i", *asks, user]))  # type: ignore[misc]
        path = self._work / f"{name}.kubeconfig"
        self._write_kubeconfig(name, path)
        return path

    def _write_kubeconfig(self, service_account: str, path: Path) -> None:
        token = self.kubectl(f"create token {service_account} -n kubevitals --duration=4h").strip()
        config = json.loads(self.kubectl("config view --raw -o json"))
        config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
        path.write_text(json.dumps(config))

    def _create(self, what: str) -> None:
        """Create an object unless it already exists."""
        manifest = self.kubectl(f"create {what} --dry-run=client -o json")
        self.kubectl(["apply", "-f", "-"], input=manifest)

    def record(self, chosen: list[Scenario]) -> None:
        """Make and record the chosen scenarios: the faults one by one, then all manifests together."""
        for scenario in chosen:
            if scenario.fault:
                started = time.monotonic()
                with scenario.fault(self), self._standing(scenario):
                    self._settle(scenario.recording, [s for s in chosen if s.recording == scenario.recording])
                self._heal(probe=scenario.probe)
                self._say(f"{scenario.recording} recovered, {time.monotonic() - started:.0f} s in all")
        if manifests := [s for s in chosen if s.recording == MANIFESTS]:
            for scenario in manifests:
                if scenario.objects:
                    self._not_fatal(scenario, lambda s=scenario: self.apply(s.objects, s.name))  # type: ignore[misc]
            for scenario in manifests:
                self._follow(scenario)
            self._settle(MANIFESTS, manifests)

    @contextmanager
    def _standing(self, scenario: Scenario) -> Iterator[None]:
        """Create the objects of a scenario with a fault, and delete them afterwards."""
        if not scenario.objects:
            yield
            return
        try:
            self.apply(scenario.objects, scenario.name)
            self._follow(scenario)
            yield
        finally:
            self.kubectl(f"delete namespace {scenario.name} --ignore-not-found --wait=false")

    def _follow(self, scenario: Scenario) -> None:
        def follow() -> None:
            for command in scenario.then:
                self.retry(lambda command=command: self.kubectl(f"-n {scenario.name} {self._fill(command)}"))  # type: ignore[misc]

        self._not_fatal(scenario, follow)

    def _not_fatal(self, scenario: Scenario, step: Callable[[], None]) -> None:
        """Make a step of a scenario; if it fails, only this scenario is not met."""
        try:
            step()
        except RuntimeError as error:
            self._say(f"{scenario.name}: {error}")

    def _fill(self, text: str) -> str:
        """Insert what differs between runs: the cluster's name, the name of a VolumeAttachment."""
        text = text.replace("{cluster}", self.name)
        return re.sub(r"\{attachment:(.*?)\}", lambda match: self._attachment(match[1]), text)

    def _attachment(self, volume: str) -> str:
        """Return the name of a volume's VolumeAttachment."""
        query = f"jsonpath={{.items[?(@.spec.source.persistentVolumeName=='{volume}')].metadata.name}}"
        return self.kubectl(["get", "volumeattachments", "-o", query]).split()[0]

    def retry(self, action: Callable[[], Any]) -> None:
        """Repeat an action until it succeeds, for PATIENCE seconds."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                action()
            except (subprocess.CalledProcessError, LookupError) as error:
                if time.monotonic() > end:
                    raise RuntimeError(getattr(error, "output", "") or str(error)) from error
                time.sleep(1)
            else:
                return

    def _settle(self, recording: str, expecting: list[Scenario]) -> None:
        """Run the checks until every scenario finds what it states, or SETTLE is over; keep the best recording.

        A recording that is kept for later runs must show all scenarios at once; else they may be shown by turns.
        """
        path, looks, started = self.folder / f"{recording}.recording", Looks(self._work, recording), time.monotonic()
        while unmet := self._unmet(path, expecting):
            looks.add(path, unmet)
            by_turns = self.folder == self._work and len(looks) >= LATEST and not looks.missed
            if by_turns or (time.monotonic() > started + SETTLE and len(looks) >= LOOKS):
                shutil.copy(looks.best.path, path)
                self.moments |= looks.elsewhere()
                break
            time.sleep(POLL)
        missed = f", not met: {', '.join(looks.missed)}" if unmet and looks.missed else ""
        self._say(f"{recording} settled after {time.monotonic() - started:.0f} s{missed}")

    def _unmet(self, path: Path, expecting: list[Scenario]) -> list[Scenario]:
        """Run the checks; return the scenarios that are not as stated.

        The replay may differ from one run in which the API server stops; in the next one it must not.
        """
        probe, direct = any(s.probe for s in expecting), any(s.direct for s in expecting)
        for differed in (False, True):
            live, judge = self.check(path, probe=probe, direct=direct), Judge(self.folder)
            replayed = judge(replace(expecting[0], later=0, secret_names=True))
            again = Counter(f"{finding.obj}: {finding.says}" for v in replayed.verdicts for finding in v.findings)
            if live == again:
                break
            if differed:
                raise RuntimeError(f"the replay differs from the run: {(live - again) + (again - live)}")
        return [scenario for scenario in expecting if not _is_met(judge, scenario)]

    def check(self, record: Path, *, probe: bool = False, direct: bool = False) -> Counter[str]:
        """Run the checks as a user would, with --record; return the findings."""
        report = self._work / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CHECKS), "--secret-names"]
        options = [f"--record={record}", f"--junitxml={report}", f"--html={self._work / 'report.html'}"]
        if probe:
            options += ["--probe", "--probe-timeout=300s", f"--probe-outside={self.name}-control-plane.kind"]
        if direct:
            options += ["--kubelet=direct", "--kubelet-insecure-tls"]
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        run = subprocess.run([*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True)
        if run.returncode not in (0, 1, EXIT_NOT_OBSERVED):
            raise RuntimeError(run.stdout + run.stderr)
        return found_by(report)

    def _heal(self, *, probe: bool) -> None:
        """Wait until the checks find nothing and observe everything, with --probe or without it."""
        healed = Scenario("healed", "healed", frozenset(), lambda _: None)
        end = time.monotonic() + HEAL
        while self.check(self._work / "healed.recording", probe=probe) or _is_broken(Judge(self._work)(healed)):
            if time.monotonic() > end:
                raise RuntimeError("the cluster did not recover from the last fault")
            time.sleep(POLL)


def _is_broken(seen: Seen) -> bool:
    """Return whether an item is not healthy, except for items that the run's options exclude."""
    fine = (Outcome.HEALTHY, Outcome.NOT_APPLICABLE)
    return any(verdict.outcome not in fine and not verdict.unasked for verdict in seen.verdicts)


def _is_met(judge: Judge, scenario: Scenario) -> bool:
    seen = judge(scenario)
    try:
        scenario.state(seen)
    except (AssertionError, LookupError, StopIteration, NotObserved):
        return False
    return seen.findings == scenario.finds


def found_by(report: Path) -> Counter[str]:
    """Return the findings in the JUnit report of a run."""
    properties = ET.parse(report).iter("property")
    return Counter(str(p.get("value")) for p in properties if p.get("name") == "finding")
