"""How the workers of pytest-xdist share the tests."""

from xdist.scheduler.loadfile import LoadFileScheduling
from xdist.workermanage import WorkerController

JUDGED = "the judged recordings"
"""What all tests share that replay each recording: one worker runs them."""

ALSO_JUDGED = ("tests/test_identities.py", "tests/test_manual.py")
"""Tests that replay each recording, besides all scenarios."""

LONG = (
    JUDGED,
    "tests/test_html.py",
    "tests/test_hostile.py",
    "tests/test_benchmarks.py",
    "tests/test_interrupts.py",
    "tests/test_html_filter.py",
    "tests/test_deadline.py",
    "tests/test_faults.py",
    "tests/test_own_checks.py",
    "tests/test_cli.py",
    "tests/test_text.py",
    "tests/test_probe_cli.py",
    "tests/test_installed.py",
    "tests/test_crowds.py",
    "tests/test_terminal.py",
    "tests/test_unusable.py",
    "tests/test_pod_faults.py",
    "tests/test_probe_run.py",
)
"""What takes longer than 2 s, longest first: it comes first, so that no worker is left with it in the end."""


class ByFile(LoadFileScheduling):  # type: ignore[misc]
    """Gives each worker whole files, long ones first, and to one worker all that judges each recording."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return JUDGED if file.startswith("scenarios/") or file in ALSO_JUDGED else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        longest = next((unit for unit in LONG if unit in self.workqueue), None)
        if longest:
            self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)
