"""The exit code of a run that came to its end; the others are pytest's own."""

import pytest

from kubevitals.diagnosis.run import Run
from kubevitals.errors import EXIT_NOT_OBSERVED


def exit_code(run: Run, session: pytest.Session) -> int:
    """Return 1 if something is broken, else 10 if something that must be known or done was not, else 0.

    That is: nothing could be observed, something that an option requires or asks for could not be, or a report could
    not be written.
    """
    if session.testsfailed > run.required:
        return pytest.ExitCode.TESTS_FAILED
    asked = any(verdict.unseen and verdict.unseen.asked for verdict in run.verdicts)
    if run.required or run.unwritten or asked or not run.observed:
        return EXIT_NOT_OBSERVED
    return pytest.ExitCode.OK
