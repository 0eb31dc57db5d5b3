"""A finding keeps its identity from version to version: with --compare nothing old is called new."""

import json

import pytest

from scenarios.harness import RECORDINGS
from tests.identities import KEPT, digest, identities

EXPECTED = json.loads(KEPT.read_text())


def check_of(finding: str) -> str:
    return finding.partition(": ")[2].partition(" ")[0]


CHECKS = {check_of(finding) for recording in EXPECTED.values() for finding in recording["findings"]}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recording_gives_the_same_findings_as_before(name: str) -> None:
    recording = RECORDINGS / f"{name}.recording"
    if digest(recording) != EXPECTED[name]["digest"]:
        pytest.skip("the cluster was recorded again: tools/identities > tests/recorded/identities.json")
    found = [finding for finding in identities(recording) if check_of(finding) in CHECKS]
    assert found == EXPECTED[name]["findings"]
