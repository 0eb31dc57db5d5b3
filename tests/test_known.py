from datetime import date
from pathlib import Path

import pytest

from kubevitals.diagnosis.known_issues import KnownIssue, KnownIssues, load
from kubevitals.diagnosis.verdict import Outcome, judge
from kubevitals.errors import Unusable
from kubevitals.findings.finding import Finding
from kubevitals.objects import Ref

TODAY = date(2026, 3, 1)
CLAIM = {
    "check": '"volume-claim"',
    "object": '"PersistentVolumeClaim/legacy/*"',
    "reason": '"moves"',
    "until": "2026-05-31",
}


def entry(**changes: str) -> str:
    return "[[issue]]\n" + "".join(f"{key} = {value}\n" for key, value in (CLAIM | changes).items() if value)


def issues(tmp_path: Path, *entries: str) -> KnownIssues:
    path = tmp_path / "issues.toml"
    path.write_text("\n".join(entries))
    return load(path, TODAY)


def finding(name: str, namespace: str = "legacy") -> Finding:
    return Finding(Ref("PersistentVolumeClaim", namespace, name), says="has no volume", remedy="")


UNUSABLE = {
    "no TOML": ("issue = [", "cannot be used"),
    "no table": ('issue = "x"', "Expected `array`"),
    "unknown key": (entry(untill="2026-01-01"), "unknown field `untill`"),
    "unknown table": ("[[issues]]\n", "unknown field `issues`"),
    "missing key": (entry(reason=""), "missing required field `reason`"),
    "no end": (entry(until=""), "missing required field `until`"),
    "a day that does not exist": (entry(until='"2026-02-30"'), "write a date without quotes"),
    "a bare day that does not exist": (entry(until="2026-02-30"), "cannot be used"),
    "no day": (entry(until='"some day"'), "Expected `date`"),
    "wrong type": (entry(object="3"), "Expected `str`"),
}


@pytest.mark.parametrize(("text", "match"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, text: str, match: str) -> None:
    with pytest.raises(Unusable, match=match) as caught:
        issues(tmp_path, text)
    assert str(caught.value).isprintable()
    assert "issues.toml" in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "issues.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Unusable, match="cannot be used"):
        load(tmp_path / "issues.toml", TODAY)


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"absent\.toml cannot be read: No such file"):
        load(tmp_path / "absent.toml", TODAY)
    with pytest.raises(Unusable, match="Is a directory"):
        load(tmp_path, TODAY)


def test_without_a_name_the_file_in_the_current_folder_is_read_if_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, TODAY).valid == []
    Path("known-issues.toml").write_text(entry())
    assert [issue.check for issue in load(None, TODAY).valid] == ["volume-claim"]


@pytest.mark.parametrize(
    ("check", "pattern", "expected"),
    [
        ("volume-claim", "PersistentVolumeClaim/legacy/*", True),
        ("volume-claim[unbound]", "PersistentVolumeClaim/legacy/data-0", True),
        ("volume-claim", "*", True),
        ("volume-claim", "PersistentVolumeClaim/legacy/data-?", True),
        ("volume-claim[mount-failed]", "*", False),
        ("volume", "*", False),
        ("volume-claim", "PersistentVolumeClaim/legacy/data", False),
        ("volume-claim", "persistentvolumeclaim/legacy/*", False),
        ("volume-claim", "PersistentVolumeClaim/other/*", False),
    ],
)
def test_an_issue_expects_a_check_or_a_variant_and_a_pattern_of_objects(
    check: str, pattern: str, expected: bool
) -> None:
    known = KnownIssues([KnownIssue(check, pattern, "", TODAY)], TODAY)
    assert bool(known.match("volume-claim", "unbound", finding("data-0"))) is expected


def test_an_issue_expects_the_findings_of_an_owner() -> None:
    known = KnownIssues([KnownIssue("startup-error", "Deployment/shop/*", "", TODAY)], TODAY)
    crash = Finding(Ref("Pod", "shop", "web-0"), says="crashes", remedy="", owner=Ref("Deployment", "shop", "web"))
    assert known.match("startup-error", "app-exit", crash)
    assert not known.match("startup-error", "app-exit", finding("web-0", "shop"))


def test_an_issue_is_valid_on_its_last_day_and_not_after_it(tmp_path: Path) -> None:
    known = issues(tmp_path, entry(until="2026-03-01"), entry(until="2026-02-28", check='"node-ready"'))
    assert known.match("volume-claim", "unbound", finding("data-0"))
    assert not known.match("node-ready", "silent", finding("data-0"))
    assert known.stale([], ()) == [
        "expired, no longer applied: node-ready on PersistentVolumeClaim/legacy/*: moves (until 2026-02-28)"
    ]


def test_an_issue_that_matches_nothing_is_reported_once_its_check_was_judged(tmp_path: Path) -> None:
    known = issues(tmp_path, entry())
    assert known.stale([("node-ready", "silent")], ()) == []
    (line,) = known.stale([("volume-claim", "unbound")], ())
    assert line.startswith("matches nothing: volume-claim on PersistentVolumeClaim/legacy/*")
    assert known.stale([("volume-claim", "unbound")], known.valid) == []


def test_a_hostile_reason_is_safe_to_show() -> None:
    assert str(KnownIssue("a", "b\x1b[2J", "c\n\u202e", TODAY)).isprintable()


def test_an_item_with_one_finding_that_nobody_expected_still_fails(tmp_path: Path) -> None:
    known = issues(tmp_path, entry())
    expected, unexpected = finding("data-0"), finding("data-0", "shop")
    assert judge("volume-claim", "unbound", lambda: [expected], known).outcome is Outcome.KNOWN
    verdict = judge("volume-claim", "unbound", lambda: [expected, unexpected], known)
    assert verdict.outcome is Outcome.BROKEN
    assert verdict.findings == [unexpected]
    assert [found for found, _ in verdict.known] == [expected]
