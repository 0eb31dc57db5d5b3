"""What a pod's state says of its fault, and what it no longer says."""

import pytest

from kubevitals.pod_faults import PodFault
from tests.built import BuiltPod, findings, owner_of

TOO_LITTLE = "runc create failed: container init was OOM-killed (memory limit too low?)"


@pytest.mark.parametrize("has_run", [True, False], ids=["containerd", "CRI-O"])
def test_a_container_that_cannot_start_in_so_little_memory_waits_in_the_words_of_its_runtime(has_run: bool) -> None:
    pod = BuiltPod()
    if has_run:
        pod.crashing("web", 128, "StartError", TOO_LITTLE, waiting="RunContainerError", why=TOO_LITTLE)
    else:
        pod.waiting("web", "CreateContainerError", TOO_LITTLE)
    assert owner_of(pod.cluster()) is PodFault.OOM_KILLED
    assert findings(pod.cluster()) == ["memory-limit[oom-killed] Pod/app"]
