"""What pods on Windows nodes report when they do not start."""

import pytest

from checks.test_ip_allocation import sandbox_failed
from checks.test_startup_error import app_exit
from tests.built import BuiltPod


@pytest.mark.parametrize(
    ("code", "meaning", "remedy"),
    [
        (-1073741510, "exit code -1073741510 (0xC000013A: it got Ctrl+C, or its console was closed)", "no console"),
        (-1073741515, "exit code -1073741515 (0xC0000135: a DLL is missing from the image)", "add the DLL"),
        (-532462766, "exit code -532462766 (0xE0434352: an exception of .NET was not handled)", "read its last log"),
        (-1, "exit code -1", "read its last log"),
        (1, "exit code 1 (general error)", "read its last log"),
    ],
)
def test_exit_codes_of_windows_have_a_meaning(code: int, meaning: str, remedy: str) -> None:
    """microsoft/SDN issue 298."""
    pod = BuiltPod()
    pod.crashing("iis", code)
    (finding,) = app_exit(pod.cluster())
    assert finding.says == f'container "iis" keeps crashing: {meaning}'
    assert remedy in finding.remedy


def test_a_sandbox_image_for_another_version_of_windows() -> None:
    """MicrosoftDocs/Virtualization-Documentation issue 1030."""
    pod = BuiltPod()
    pod.said(
        "FailedCreatePodSandBox",
        "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to start sandbox container: "
        "CreateComputeSystem cf6b: The container operating system does not match the host operating system.",
    )
    (finding,) = sandbox_failed(pod.cluster())
    assert "the sandbox image (pause) is not for the node's version of Windows" in finding.says
