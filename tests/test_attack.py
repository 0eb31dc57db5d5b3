"""The long attack on the checks: a few runs of it, and its table."""

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from benchmarks.attack import _is_whole, main, result
from benchmarks.credentials import leaks, places
from tests.credentials import CREDENTIALS


def test_the_table_says_what_was_tried(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks.attack", "--runs=2", "kubeconfigs", "flipped recordings"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.splitlines()[2:] == ["| kubeconfigs | 22 | 0 |", "| flipped recordings | 2 | 0 |"]


def test_an_attack_that_crashes_has_failed() -> None:
    def crash(runs: int, random: Random) -> Iterator[str]:
        yield ""
        yield "lost"
        raise ValueError("x")

    assert result(crash, 1, Random(1)) == (3, ["lost", "crashed: ValueError('x')"])


def test_a_credential_is_looked_for_in_every_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.credentials.CREDENTIALS", CREDENTIALS[:1])
    assert list(leaks()) == [""] * len(places(""))
    monkeypatch.setattr("kubevitals.redaction._Redaction.on", False)
    assert all(list(leaks()))


def test_half_a_report_is_not_whole(tmp_path: Path) -> None:
    for name, text in {"a.xml": "<a>", "a.json": "{", "a.html": "<html>"}.items():
        (tmp_path / name).write_text(text)
        assert not _is_whole(tmp_path / name)
