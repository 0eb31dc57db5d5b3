"""What differs between the supported versions of Kubernetes, as docs/versions.md says: the checks know both texts."""

import re
from pathlib import Path

import pytest

from kubevitals.facts.pods.sandbox_errors import explain
from kubevitals.facts.volumes.mounting import mount_remedy, volume_words
from kubevitals.inventory.cluster import Cluster

PAGE = Path(__file__).parents[1] / "docs/versions.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text().splitlines()
    if line.startswith("| a ")
]


def texts(about: str) -> list[str]:
    """Return the texts of one row, without the names of runtimes and versions before them."""
    (row,) = [row for row in ROWS if about in row[0]]
    return [
        match[1].replace("…", "Volume is already used by pod(s) db-0") for c in row[1:3] if (match := LAST.search(c))
    ]


LAST = re.compile(r"`([^`]+)`$")


def test_a_volume_that_is_attached_elsewhere_reads_the_same() -> None:
    assert {volume_words(text) for text in texts("FailedAttachVolume")} == {"Volume is already used by pod(s) db-0"}


def test_a_host_path_of_another_type_is_known() -> None:
    older, newer = texts("hostPath")
    assert "create the path" in mount_remedy(older)
    assert "hostPath.type" in mount_remedy(newer)


def test_a_runtime_that_is_not_installed_reads_the_same() -> None:
    explained = [explain(f"Failed to create pod sandbox: {text}") for text in texts("RuntimeClass")]
    assert len(explained) == 2
    assert explained[0]
    assert explained[0] == explained[1]


@pytest.mark.parametrize("listing", Cluster.listings(), ids=lambda listing: listing.schema.__name__)
def test_only_stable_versions_of_kubernetes_own_groups_are_read(listing: object) -> None:
    path = str(getattr(listing, "path", ""))
    group, version = re.match(r"/apis?/(?:([^/]+)/)?(v\w+)/", path).groups()  # type: ignore[union-attr]
    assert ("." in (group or "") and not (group or "").endswith(".k8s.io")) or re.fullmatch(r"v\d", version), path
