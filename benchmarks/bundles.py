"""Measures runs on support bundles of a made-up cluster: ``python -m benchmarks.bundles [--pods N] [--format yaml]``.

The bundle has the pods in one list, as ``kubectl get pods -A`` writes it, each with managedFields of usual size. The
run is a separate process.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.made_up import made_up_pods
from benchmarks.made_up_policies import TEAMS
from benchmarks.runs import MB, process
from kubevitals import schema_pb2 as pb
from tests.bundles import to_json
from tests.fakes import NOW

MANAGED = [
    {"apiVersion": "v1", "manager": "kubelet", "fieldsV1": {f"f:field-{n}": {"f:x": {}, ".": {}} for n in range(60)}}
]
"""Fields of the size of a pod's managedFields."""


def main() -> None:
    """Write the bundle, run the checks on it, and print what that took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bundles", description=__doc__)
    parser.add_argument("--pods", type=int, default=20_000)
    parser.add_argument("--format", choices=("json", "yaml"), default="json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder)
        (bundle / "kubevitals-bundle").write_text(f"{NOW:%Y-%m-%dT%H:%M:%SZ}\n")
        pods = bundle / f"pods.{options.format}"
        with pods.open("w") as file:
            file.writelines(_list(_pods(options.pods), options.format))
        (bundle / "namespaces.json").write_text("".join(_list(_namespaces(), "json")))
        used = process("-m", "pytest", "checks/", "-q", "-p", "no:cacheprovider", f"--snapshot={folder}")
        size = pods.stat().st_size
    sys.stdout.write(
        f"{options.pods:,} pods, {size / MB:.0f} MB of {options.format}: {used.wall:.1f} s, "
        f"CPU {used.cpu:.1f} s, peak memory {used.peak / MB:.0f} MB, exit code {used.code}\n"
    )


def _pods(count: int) -> Iterator[dict[str, Any]]:
    for encoded in made_up_pods(count):
        pod = pb.Pod.FromString(encoded)
        pod.DiscardUnknownFields()
        value = {"apiVersion": "v1", "kind": "Pod", **to_json(pod)}
        value["metadata"]["managedFields"] = MANAGED
        yield value


def _namespaces() -> Iterator[dict[str, Any]]:
    for number in range(TEAMS):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"team-{number:02}"}}


def _list(items: Iterable[dict[str, Any]], form: str) -> Iterator[str]:
    """Yield a list as kubectl writes it."""
    if form == "yaml":
        yield "apiVersion: v1\nitems:\n"
        for item in items:
            yield yaml.dump([item], Dumper=_Dumper)
        yield "kind: List\nmetadata:\n  resourceVersion: ''\n"
        return
    yield '{"apiVersion": "v1", "items": [\n'
    for number, item in enumerate(items):
        yield (",\n" if number else "") + json.dumps(item, indent=4)
    yield '], "kind": "List", "metadata": {"resourceVersion": ""}}\n'


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, _: Any) -> bool:
        return True


if __name__ == "__main__":
    main()
