"""Findings files and clusters files that cannot be used: each is one row or one line."""

import os
import re
from pathlib import Path

import msgspec
import pytest

from kubevitals.errors import Unusable
from kubevitals.fleet import clusters_file, compare, findings_file
from kubevitals.fleet.gather import gather
from kubevitals.fleet.result import State
from tests.fakes import NOW
from tests.fleets import by_name, report, rolled_up, write

GOOD = msgspec.json.encode(report(context="x"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is empty"),
        (GOOD[: len(GOOD) // 2], "is not a findings file of kubevitals: Input data was truncated"),
        (GOOD.replace(b'"schema":1', b'"schema":2'), "has a newer format (2, of kubevitals "),
        (GOOD.replace(b'"schema":1', b'"schema":0'), "has an older format (0, of kubevitals "),
        (b'{"apiVersion": "v1", "kind": "List", "items": []}', "is not a findings file of kubevitals: Object missing"),
        (GOOD.replace(b"2026-03-01", b"9999-12-31").replace(b":00Z", b":00-23:59"), "is not a findings file"),
        (b'{"a":' * 100_000, "is not a findings file of kubevitals: "),
        (b"\xff\xfe", "is not a findings file of kubevitals: "),
    ],
    ids=["empty", "truncated", "newer", "older", "of another tool", "end of time", "deep", "not UTF-8"],
)
def test_a_file_that_cannot_be_used_is_a_row(content: bytes, why: str, tmp_path: Path) -> None:
    write(tmp_path, "x.json", content)
    (cluster,) = rolled_up(tmp_path).clusters
    assert (cluster.name, cluster.state) == ("x", State.UNUSABLE)
    assert cluster.reason.startswith(f"x.json {why}")


def test_what_is_no_file_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings_file, "SIZE_LIMIT", 10)
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "dangling.json").symlink_to("absent")
    write(tmp_path, "huge.json", GOOD)
    write(tmp_path, ".partial.json", "")
    write(tmp_path, "notes.txt", "")
    reasons = {name: cluster.reason for name, cluster in by_name(rolled_up(tmp_path)).items()}
    assert reasons == {
        "pipe": "pipe.json is not a regular file: a pipe or a device may never end",
        "folder": "folder.json is a folder, not a findings file",
        "dangling": "dangling.json cannot be read: No such file or directory",
        "huge": f"huge.json has {len(GOOD):,} bytes: a findings file has at most 10",
    }


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("clusters: [{name: a, owner: x, nmae: y}]", "Object contains unknown field `nmae` - at `$.clusters[0]`"),
        ("clusters: [{name: 7}]", "Expected `str`, got `int` - at `$.clusters[0].name`"),
        ("clusters: [{name: a}, {name: a, uid: u}]", "several clusters have the name a: give each the uid of its"),
        ("clusters: [{name: a, uid: u}, {name: b, uid: u}]", "several clusters have the uid u"),
        ("clusters: [{name: a, link: 'javascript:alert(1)'}]", "the link of a is not an address"),
        ("clusters: [{name: a, period: soon}]", "'soon' is not a duration"),
        ("clusters: [{name: ''}]", "a cluster has no name"),
        ("clusters: [&a {name: a}, *a]", "a part refers to another part"),
        ("- [", "not valid YAML"),
    ],
)
def test_a_clusters_file_that_cannot_be_used_is_one_line(text: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "clusters.yaml"
    path.write_text(text)
    with pytest.raises(Unusable, match=re.escape(why)):
        clusters_file.load(path)


def test_what_has_nothing_to_roll_up_is_refused(tmp_path: Path) -> None:
    for folder, why in ((tmp_path, "has no findings files"), (tmp_path / "absent", "cannot be read: No such file")):
        with pytest.raises(Unusable, match=why):
            gather(folder, None, NOW)
    write(tmp_path, "x.json", GOOD)
    with pytest.raises(Unusable, match="is not the JSON of an earlier roll-up"):
        compare.load(tmp_path / "x.json")
