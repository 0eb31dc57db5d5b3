"""Which of several errors at the end of a log tells why a program ended."""

from kubevitals.facts.apps.causes import cause_of_exit
from tests.built import BuiltPod
from tests.fakes import cluster_of

BEFORE_THE_END = [
    "[ERROR] [MY-012574] [InnoDB] Unable to lock ./ibdata1 error: 11",
    "[ERROR] [MY-010020] [Server] Data Dictionary initialization failed.",
    "[ERROR] [MY-010119] [Server] Aborting",
]


def test_what_failed_first_stands_before_what_failed_for_that() -> None:
    found = cause_of_exit(BEFORE_THE_END, BuiltPod().pod, "app", cluster_of())
    assert found
    assert "holds the lock of its data" in found.means


def test_what_follows_an_error_belongs_to_it() -> None:
    lines = ["ERROR: [1] bootstrap checks failed", "[1]: max virtual memory areas vm.max_map_count [65530] is too low"]
    found = cause_of_exit(lines, BuiltPod().pod, "app", cluster_of())
    assert found
    assert "vm.max_map_count" in found.means


def test_an_error_that_was_long_ago_is_not_the_cause() -> None:
    lines = [BEFORE_THE_END[0], *(f"ERROR: step {number} failed" for number in range(3))]
    assert cause_of_exit(lines, BuiltPod().pod, "app", cluster_of()) is None
