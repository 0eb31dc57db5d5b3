"""Parses the log of a probe pod into its report. A log is untrusted text: the result is always bounded and clean."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from ipaddress import ip_address
from itertools import pairwise
from typing import NamedTuple

from kubevitals.probe.outcome import RanPod
from kubevitals.probe.report import (
    ABSENT,
    Conntrack,
    KernelLimits,
    Lookup,
    ProbeReport,
    Reach,
    Resolver,
    Target,
    Through,
    Tracking,
)
from kubevitals.probe.routes import parse_default_routes, parse_routes
from kubevitals.text import clean

LINES, LINE = 4000, 1000
"""Lines of a log that are read, and characters of each line."""

SAID = 200
"""Characters of a wrong answer that are kept."""

ADDRESSES = 20
"""Addresses of an answer that are kept."""

CACHED = 20_000
"""Addresses and names that are cached: the nodes of a cluster report the same ones."""

LARGEST = 2**63
"""Larger numbers are not a measurement."""

_API_SERVER = "Client sent an HTTP request to an HTTPS server"
"""What Go's HTTPS server, and so every API server, says to a plain HTTP request."""

_KUBE_PROXY = '"lastUpdated"'
"""In kube-proxy's answer with HTTP 200; for any other status only wget's error is seen."""

CONNECTED = "connected"
"""What the script prints if a TCP connection was accepted."""

_SETTINGS = ("tcp_timeout_established", "tcp_timeout_close_wait", "tcp_loose", "tcp_be_liberal")

_LIMITS = ("files", "files_max", "threads", "pid_max", "threads-max")

_KINDS, _WAYS = frozenset(Target), frozenset(Through)

_FAILURES = ("NXDOMAIN", "SERVFAIL", "REFUSED", "timed out", "No answer", "can't connect", "Connection refused")


class _Try(NamedTuple):
    ms: int
    right: bool
    said: str
    addresses: tuple[str, ...] = ()


_Key = tuple[str, ...]
_Tries = dict[_Key, list[_Try]]


def parse(pod: RanPod, run: str, token: str) -> ProbeReport:
    """Return the report in a pod's log, or else in its vital readings; a log is whole if it ends with its run's id."""
    lines = _lines(pod.log or pod.vitals)
    return ProbeReport(
        node=pod.node,
        network=pod.network,
        whole=("end", run) in lines[-1:],
        resolver=parse_resolver(line for word, line in lines if word == "resolv"),
        reached=tuple(_reached(lines, token)),
        lookups=tuple(_lookups(lines)),
        conntrack=tuple(_conntrack(lines)) if pod.network == "host" else (),
        routes=parse_routes(lines) if pod.network == "host" else (),
        default_routes=parse_default_routes(lines) if pod.network == "host" else None,
        tracking=_tracking(lines) if pod.network == "host" else None,
        limits=_limits(lines) if pod.network == "host" else None,
        unread="" if pod.log else clean(pod.reason),
    )


def parse_resolver(lines: Iterable[str]) -> Resolver | None:
    """Return a parsed resolv.conf. The last line with `search` or `domain` counts (resolv.conf(5))."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    options: list[str] = []
    seen = False
    for line in lines:
        seen = True
        word, *values = clean(line.partition("#")[0].partition(";")[0]).split() or [""]
        if word == "nameserver":
            servers += values[:1]
        elif word in ("search", "domain"):
            search = tuple(values)
        elif word == "options":
            options += values
    return Resolver(tuple(servers), search, tuple(options)) if seen else None


def parse_counters(lines: Iterable[str]) -> Mapping[str, int]:
    """Return the sums of /proc/net/stat/nf_conntrack over all CPUs: hexadecimal columns, named in the first line."""
    names: list[str] = []
    sums: dict[str, int] = {}
    for line in lines:
        columns = line.split()
        if not names:
            names = columns
        elif len(columns) == len(names):
            for name, column in zip(names, columns, strict=True):
                sums[name] = min(sums.get(name, 0) + _number(column, 16), LARGEST)
    return sums


def _lines(log: str) -> list[tuple[str, str]]:
    lines = (line[:LINE].partition(" ") for line in log.split("\n")[:LINES])
    return [(word, rest.strip()) for word, _, rest in lines if word]


def _reached(lines: Iterable[tuple[str, str]], token: str) -> Iterator[Reach]:
    tries: _Tries = {}
    for line in (line for word, line in lines if word == "reach"):
        kind, host, port, node, ms, said = _parts(line, 6)
        if kind in _KINDS and _is_address(host) and _is_number(port) and _is_number(ms):
            right = _is_right(Target(kind), said, token)
            answer = "" if right else _said(said.replace(token, "[token]") if token else said)
            address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            tries.setdefault((kind, address, node), []).append(_Try(_number(ms), right, answer))
    for (kind, address, node), attempts in tries.items():
        answered, slowest, said = _judged(attempts)
        yield Reach(Target(kind), address, _name(node), len(attempts), answered, slowest, said)


def _is_right(kind: Target, said: str, token: str) -> bool:
    if kind in (Target.API_SERVICE, Target.API_ENDPOINT):
        return _API_SERVER in said
    if kind in (Target.OPEN_SERVICE, Target.OPEN_ENDPOINT):
        return said.strip() == CONNECTED
    if kind is Target.KUBE_PROXY:
        return _KUBE_PROXY in said
    return bool(token) and token in said


def _lookups(lines: Iterable[tuple[str, str]]) -> Iterator[Lookup]:
    tries: _Tries = {}
    for line in (line for word, line in lines if word == "lookup"):
        name, where, through, server, pod, ms, said = _parts(line, 7)
        if through in _WAYS and _is_address(server) and _is_number(ms):
            addresses = _answers(said)
            right = bool(addresses) or (name == ABSENT and "NXDOMAIN" in said)
            key = (name, where, through, server, pod)
            tries.setdefault(key, []).append(_Try(_number(ms), right, "" if right else _failure(said), addresses))
    for (name, where, through, server, pod), attempts in tries.items():
        answered, slowest, said = _judged(attempts)
        last: tuple[str, ...] = next((attempt.addresses for attempt in reversed(attempts) if attempt.right), ())
        yield Lookup(
            name=_name(name),
            outside=where == "outside",
            through=Through(through),
            server=server,
            pod=_name(pod),
            tries=len(attempts),
            answered=answered,
            ms=slowest,
            addresses=last,
            said=said,
            sample=where == "sample",
        )


def _answers(said: str) -> tuple[str, ...]:
    """Return the addresses that nslookup prints after the name; the server's own address stands before it."""
    words = said.partition("Name:")[2].split()
    addresses = [
        address
        for label, address in pairwise(words)
        if (label == "Address:" or (label.rstrip(":").isdecimal() and label.endswith(":"))) and _is_address(address)
    ]
    return tuple(dict.fromkeys(addresses))[:ADDRESSES]


def _failure(said: str) -> str:
    """Return why a lookup failed. If nslookup printed nothing, it was stopped while it waited for an answer."""
    if not said.strip():
        return "timed out"
    return next((words for words in _FAILURES if words in said), "") or _said(said)


def _judged(tries: list[_Try]) -> tuple[int, int, str]:
    """Return how many attempts were right, the slowest right one (or else the last) in ms, and the last failure."""
    right = [attempt.ms for attempt in tries if attempt.right]
    said = next((attempt.said for attempt in reversed(tries) if not attempt.right), "")
    return len(right), max(right, default=tries[-1].ms), said


def _conntrack(lines: Iterable[tuple[str, str]]) -> Iterator[Conntrack]:
    readings: list[tuple[str, list[str]]] = []
    for word, line in lines:
        if word == "conntrack" and len(readings) < 2:
            readings.append((line, []))
        elif word == "stat" and readings:
            readings[-1][1].append(line)
    for line, stat in readings:
        count, maximum = _parts(line, 2)
        if _is_number(count) and _is_number(maximum):
            sums = parse_counters(stat)
            lost = (sums.get(name, 0) for name in ("drop", "insert_failed", "early_drop"))
            yield Conntrack(_number(count), _number(maximum), *lost)


def _tracking(lines: Iterable[tuple[str, str]]) -> Tracking | None:
    values = _values("tracking", lines)
    return None if values is None else Tracking(*map(values.get, _SETTINGS))


def _limits(lines: Iterable[tuple[str, str]]) -> KernelLimits | None:
    values = _values("limits", lines)
    return None if values is None else KernelLimits(*map(values.get, _LIMITS))


def _values(kind: str, lines: Iterable[tuple[str, str]]) -> dict[str, int] | None:
    """Return the numbers in the first line of a kind, by their names; nothing if there is no such line."""
    for line in (line for word, line in lines if word == kind):
        words = line.split()
        return {name: _number(value) for name, value in zip(words[::2], words[1::2], strict=False) if _is_number(value)}
    return None


def _parts(line: str, count: int) -> list[str]:
    """Return `count` words of a line. The last one has the rest of the line; missing words are empty."""
    parts = line.split(" ", count - 1)
    return parts + [""] * (count - len(parts))


def _said(text: str) -> str:
    return clean(text.strip().removeprefix("wget: "), SAID) or "no answer"


@lru_cache(CACHED)
def _name(text: str) -> str:
    return "" if text == "-" else clean(text, 500)


@lru_cache(CACHED)
def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return text.isprintable()


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _number(text: str, base: int = 10) -> int:
    try:
        return min(abs(int(text[:20], base)), LARGEST)
    except ValueError:
        return 0
