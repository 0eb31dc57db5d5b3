"""The examples in README.md and CONTRIBUTING.md are true."""

import re
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

import kubevitals
from kubevitals import schema_pb2 as pb
from tests.fakes import CREATED, cluster_of
from tests.runs import Run

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
PYTHON = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)
CHECK, SCENARIOS, EXPLAINS = map(dedent, PYTHON)
(OUTPUT,) = re.findall(r"```\n(error: .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def load(name: str, code: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(code, vars(module))
    return module


def test_the_check_finds_what_its_scenario_states(monkeypatch: pytest.MonkeyPatch) -> None:
    check = load("checks.test_idle_cron_job", CHECK, monkeypatch)
    module = load("scenarios.test_idle_cron_job", SCENARIOS, monkeypatch)
    metadata = pb.ObjectMeta(name="report", namespace="suspended-cron-job", creationTimestamp=CREATED)
    suspended = pb.CronJob(metadata=metadata, spec=pb.CronJobSpec(suspend=True))
    (finding,) = check.suspended(cluster_of(cron_jobs=[suspended]))
    faulty = module.test_suspended_cron_job.scenario
    look_alike = module.test_cron_job_waits_for_its_hour.scenario
    assert (faulty.name, look_alike.finds) == ("suspended-cron-job", frozenset())
    assert faulty.finds == {f"idle-cron-job[suspended] CronJob/report ({finding.severity})"}
    assert "is suspended" in finding.says


def test_the_relations_are_valid() -> None:
    names = {name: getattr(kubevitals, name) for name in ("Explains", "SAME_OWNER", "SAME_NODE", "EVERYWHERE")}
    exec(EXPLAINS, names)
    assert len(names["EXPLAINS"]) == 3


def test_the_demo_prints_what_the_readme_shows(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert OUTPUT in run("--snapshot=demo", "-v", "-k", "test_config_mount").stdout.str()
