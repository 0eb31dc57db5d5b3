"""What has no node or no namespace is no cluster, and not healthy."""

from pathlib import Path

import pytest

from kubevitals.diagnosis.history import read
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.errors import EXIT_NOT_OBSERVED
from tests.fake_server import EMPTY, ApiServer
from tests.runs import Run

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("what", ["nodes", "namespaces"])
def test_what_has_none_of_what_every_cluster_has_is_not_healthy(run: Run, healthy: ApiServer, what: str) -> None:
    healthy.script(f"/api/v1/{what}", EMPTY)
    result = run(checks=["jobs"])
    assert result.ret == EXIT_NOT_OBSERVED
    result.stdout.fnmatch_lines([f"the API server lists no {what}, so *"])
    assert read(Path("findings.json")).outcome is Outcome.NOT_OBSERVED
