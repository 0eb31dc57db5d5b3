"""The script of the probe's pods, run here by busybox alone."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import which
from threading import Thread
from time import monotonic, sleep

import pytest
from msgspec import structs

from kubevitals.probe.outcome import RanPod
from kubevitals.probe.parse import parse
from kubevitals.probe.report import ProbeNetwork, ProbeReport, Reach
from kubevitals.source.probing.manifests import SCRIPT

BUSYBOX = which("busybox") or ""
RUN, TOKEN = "abc123", "0123456789abcdef" * 2

pytestmark = pytest.mark.skipif(not BUSYBOX, reason="no busybox here")


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.fixture
def stranger() -> Iterator[int]:
    """The port of a server that answers every request, but is not the probe's."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"welcome\nto the proxy \xff\x1b[2J" + b"x" * 9000)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


ROUTE_FILES = (Path("/proc/net/route"), Path("/proc/net/ipv6_route"))


def run_script(
    folder: Path, network: ProbeNetwork, port: int, *targets: str, route_files: tuple[Path, Path] = ROUTE_FILES
) -> ProbeReport:
    """Return the report of a pod with these targets."""
    tools = folder / "bin"
    for path in (tools, folder / "scratch", folder / "targets"):
        path.mkdir()
    subprocess.run([BUSYBOX, "--install", "-s", str(tools)], check=True)
    (folder / "targets/targets").write_text("".join(f"{line}\n" for line in targets))
    script = SCRIPT.replace("/scratch/", f"{folder}/scratch/").replace("/targets/targets", f"{folder}/targets/targets")
    for real, used in zip(ROUTE_FILES, route_files, strict=True):
        script = script.replace(f"{real}", f"{used}")
    own = {"PATH": str(tools), "NETWORK": network, "RUN": RUN, "TOKEN": TOKEN, "PORT": str(port)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [BUSYBOX, "sh", "-c", script], env=own, stdout=log, stderr=log, start_new_session=True
        )
    end = monotonic() + 60
    while not (folder / "scratch/done").exists() and monotonic() < end:
        sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    _end_server(folder)
    process.wait(10)
    return parse(RanPod("here", network, log=(folder / "log").read_text("ascii")), RUN, TOKEN)


def _end_server(folder: Path) -> None:
    """End the server, which has put itself in the background: it serves from the folder."""
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if str(folder).encode() in command.read_bytes():
                os.kill(int(command.parent.name), signal.SIGKILL)


def by_port(report: ProbeReport) -> dict[tuple[str, int], Reach]:
    return {(reach.kind, int(reach.address.rpartition(":")[2])): reach for reach in report.reached}


def test_a_pod_serves_its_token_and_asks_others_for_theirs(tmp_path: Path, stranger: int) -> None:
    own, closed = free_port(), free_port()
    report = run_script(
        tmp_path,
        "pod",
        own,
        f"reach peer 127.0.0.1 {own} here 2",
        f"reach large 127.0.0.1 {own} here 1",
        f"reach service 127.0.0.1 {stranger} - 3",
        f"reach large 127.0.0.1 {stranger} other 1",
        f"reach api-service 127.0.0.1 {stranger} - 1",
        f"reach node-port 127.0.0.1 {closed} - 1",
        f"reach open-service 127.0.0.1 {stranger} - 2",
        f"reach open-endpoint 127.0.0.1 {closed} - 1",
    )
    assert report.whole
    found = by_port(report)
    assert (found["peer", own].tries, found["peer", own].answered) == (2, 2)
    assert found["large", own].ok
    assert (found["service", stranger].tries, found["service", stranger].answered) == (3, 0)
    assert found["service", stranger].said.startswith("welcome to the proxy")
    assert not found["large", stranger].ok
    assert not found["api-service", stranger].ok
    assert "refused" in found["node-port", closed].said
    assert (found["open-service", stranger].tries, found["open-service", stranger].answered) == (2, 2)
    assert "refused" in found["open-endpoint", closed].said


def test_the_host_network_serves_nothing(tmp_path: Path) -> None:
    own = free_port()
    report = run_script(tmp_path, "host", own, f"reach peer 127.0.0.1 {own} here 1")
    assert report.whole
    assert not by_port(report)["peer", own].ok
    assert not (tmp_path / "scratch/www").exists()
    assert report.resolver is not None
    limits = report.limits
    assert limits is not None
    assert all(value is not None for value in structs.astuple(limits))
    assert 0 < (limits.threads or 0) < (limits.pid_max or 0)
    vitals = (tmp_path / "scratch/vitals").read_text()
    assert "reach peer 127.0.0.1" in vitals
    assert "\nlimits files " in vitals
    assert "resolv nameserver" in vitals
    assert "\ndefaults" in vitals
    has_route = any(route.network == "0.0.0.0/0" for route in report.routes)
    assert report.default_routes is not None
    assert ("IPv4" in report.default_routes) is has_route
    assert "end" not in vitals.splitlines()[-1]


@pytest.mark.parametrize(
    ("route", "families"),
    [
        ("eth0 00000000 010012AC 0003 0 0 0 00000000 0 0 0", ("IPv4",)),
        ("tun0 00000000 010012AC 0003 0 0 0 00000080 0 0 0", ("IPv4",)),
        ("* 00000000 00000000 0201 0 0 0 00000000 0 0 0", ()),
        ("eth0 000012AC 00000000 0001 0 0 0 0000FFFF 0 0 0", ()),
    ],
    ids=["by a gateway", "in two halves", "rejects", "of a subnet"],
)
def test_a_default_route_is_one_that_leads_somewhere(tmp_path: Path, route: str, families: tuple[str, ...]) -> None:
    (tmp_path / "route").write_text(
        f"Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n{route}\n"
    )
    (tmp_path / "route6").write_text(f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 1 0 00200200 lo\n")
    report = run_script(
        tmp_path, "host", free_port(), "resolver", route_files=(tmp_path / "route", tmp_path / "route6")
    )
    assert report.default_routes == families


def test_vital_readings_fit_into_a_termination_message(tmp_path: Path) -> None:
    closed = free_port()
    run_script(
        tmp_path, "host", free_port(), *(f"reach peer 127.0.0.{n} {closed} some-node-{n:030} 1" for n in range(1, 60))
    )
    vitals = (tmp_path / "scratch/vitals").read_text()
    assert 3800 < len(vitals) < 4096
    assert vitals.endswith("\n")


def test_a_silent_server_does_not_hold_a_pod_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        start = monotonic()
        report = run_script(
            tmp_path,
            "host",
            free_port(),
            f"reach service 127.0.0.1 {port} - 1",
            f"reach api-service 127.0.0.1 {port} - 1",
            f"lookup kubernetes.default inside service 127.0.0.{port % 200 + 2} - 1",
        )
    assert report.whole
    assert not any(reach.ok for reach in report.reached)
    assert [lookup.ok for lookup in report.lookups] == [False]
    assert 2 < monotonic() - start < 15
