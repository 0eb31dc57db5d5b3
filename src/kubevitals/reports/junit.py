"""Adds to pytest's JUnit report what CI systems show: warnings as output; by option, a test case for each finding."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from _pytest.junitxml import LogXML, xml_key  # noqa: PLC2701

from kubevitals.diagnosis.result import Report, ReportedFinding
from kubevitals.diagnosis.run import Run
from kubevitals.diagnosis.verdict import Verdict
from kubevitals.findings.finding import Severity, rank
from kubevitals.reports import atomic_file

CHECK = "check"
"""The property of a test case that has the name of its check."""


class WholeLogXML(LogXML):
    """pytest's JUnit report, written in one step: a run that cannot write it leaves the file that was there before."""

    def __init__(self, started: LogXML, run: Run) -> None:
        vars(self).update(vars(started))
        self._run, self._is_written = run, False

    def pytest_sessionfinish(self) -> None:
        """Write the report."""
        path, self.logfile = Path(self.logfile), ""
        try:
            with TemporaryDirectory(dir=None if atomic_file.is_special(path) else path.parent) as folder:
                part = Path(folder) / "junit.xml"
                self.logfile = str(part)
                super().pytest_sessionfinish()
                atomic_file.write(path, part.read_bytes())
            self._is_written = True
        except OSError as error:
            self._run.cannot_write(f"--junitxml {path}", error)
        self.logfile = str(path)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Say where the report is."""
        if self._is_written:
            super().pytest_terminal_summary(terminalreporter, config)


def write_whole(config: pytest.Config, run: Run) -> None:
    """Have the JUnit report, if one is to be written, written in one step."""
    if junit := config.stash.get(xml_key, None):
        config.pluginmanager.unregister(junit)
        config.stash[xml_key] = whole = WholeLogXML(junit, run)
        config.pluginmanager.register(whole)


def properties(verdict: Verdict) -> list[tuple[str, str]]:
    """Return the properties of a check's test case."""
    findings = (("finding", f"{finding.obj}: {finding.says}") for finding in verdict.all_findings)
    return [(CHECK, verdict.check), ("outcome", str(verdict.outcome)), *findings]


def complete(config: pytest.Config, run: Run, report: Report, *, per_finding: bool) -> None:
    """Complete the JUnit report, if one is to be written: before pytest writes it."""
    junit = config.stash.get(xml_key, None)
    if not junit:
        return
    for name, texts in (("root", map(str, report.roots)), ("remark", report.remarks)):
        for text in texts:
            junit.add_global_property(name, text)
    findings: dict[str, list[ReportedFinding]] = defaultdict(list)
    for finding in report.findings:
        findings[finding.check].append(finding)
    for position in reversed(range(len(junit.node_reporters_ordered))):
        case = junit.node_reporters_ordered[position].to_xml()
        if found := findings.get(_check(case)):
            if per_finding:
                _replace(junit, position, [_case(finding, case, run) for finding in found])
            else:
                _add_output(case, [finding for finding in found if _is_silent(finding, run)])


@dataclass(frozen=True)
class _Made:
    """A test case in place of one that pytest made."""

    element: ET.Element

    def to_xml(self) -> ET.Element:
        """Return the test case as pytest writes it."""
        return self.element


def _replace(junit: LogXML, position: int, cases: Sequence[ET.Element]) -> None:
    """Replace a test case, and correct the counts of the suite."""
    old = junit.node_reporters_ordered[position].to_xml()
    junit.stats[_kind(old)] -= 1
    for case in cases:
        junit.stats[_kind(case)] += 1
    made: list[Any] = [_Made(case) for case in cases]
    junit.node_reporters_ordered[position : position + 1] = made


def _kind(case: ET.Element) -> str:
    return next((kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None), "passed")


def _check(case: ET.Element) -> str:
    return next((str(p.get("value")) for p in case.iter("property") if p.get("name") == CHECK), "")


def _case(finding: ReportedFinding, of_check: ET.Element, run: Run) -> ET.Element:
    name = f"{finding.check} {finding.owner or finding.places[0].object}"
    case = ET.Element("testcase", classname=of_check.get("classname", ""), name=name, time="0")
    kept = ET.SubElement(case, "properties")
    for key, value in ((CHECK, finding.check), ("id", finding.id), ("severity", str(finding.severity))):
        ET.SubElement(kept, "property", name=key, value=value)
    text = "\n".join(_lines(finding))
    if finding.known:
        _add(case, "skipped", text, f"known until {finding.known.until}: {finding.known.reason}")
    elif _is_silent(finding, run):
        _add(case, "system-out", text)
    else:
        _add(case, "failure", text, f"{finding.places[0].object}: {finding.says}")
    return case


def _is_silent(finding: ReportedFinding, run: Run) -> bool:
    """Return whether a finding fails no check."""
    ongoing = run.inputs.only_new and finding.status == "ongoing"
    return finding.known is not None or ongoing or rank(finding.severity) > rank(run.inputs.fail_on)


def _add_output(case: ET.Element, findings: Sequence[ReportedFinding]) -> None:
    if findings:
        _add(case, "system-out", "\n".join(line for finding in findings for line in _lines(finding)))


def _add(case: ET.Element, tag: str, text: str, message: str = "") -> None:
    ET.SubElement(case, tag, {"message": message} if message else {}).text = text


def _lines(finding: ReportedFinding) -> Iterator[str]:
    """Yield a finding in lines, as CI systems show them."""
    sign = "warning: " if finding.severity is Severity.WARNING else ""
    yield from (f"{sign}{place.object}: {finding.says}" for place in finding.places)
    yield f"remedy: {finding.remedy}"
    yield f"look: {finding.look}"
    yield from finding.evidence
