"""What exit codes and signals of containers usually mean, and what helps."""

import signal

EXIT_CODES = {
    0: "the command completed, but the container should keep running",
    1: "general error",
    2: "general error, or wrong usage of the command",
    126: "the command is not executable",
    127: "the shell did not find the command",
    128: "the container could not start",
    255: "general error",
}
"""What an exit code usually means: POSIX shells for 126 to 128+n, common usage for the rest."""

_READ = "read its last log lines and fix what they report; if the log is empty, run the command by hand"
_COMMAND = "correct command and args of the container, or the image's entrypoint"
REMEDIES = {
    0: "keep the command in the foreground, or run it as a Job",
    126: _COMMAND,
    127: _COMMAND,
}
"""What helps against an exit code that identifies the cause."""

SIGNALS = {
    "SIGILL": (
        "the CPU does not know an instruction that the binary uses",
        "build the image for an older CPU, or run the pod on nodes with a newer one",
    ),
    "SIGABRT": ("the application aborted itself", _READ),
    "SIGKILL": (
        "by the kubelet, or out of memory",
        "if its log ends without an error, it was probably out of memory: raise its memory limit, or let it use less; "
        "the node's kernel log names the process (dmesg -T | grep -i oom)",
    ),
    "SIGSYS": (
        "it made a system call that its seccomp profile forbids",
        "allow the call in seccompProfile of the securityContext, or let the application do without",
    ),
    "SIGSEGV": (
        "the application accessed memory that it may not",
        "update the application or the library that crashes; its core dump or its log says which one",
    ),
}
"""What a signal usually means, and what helps (signal(7) of the Linux manual)."""


WINDOWS = {
    0xC0000005: "the application accessed memory that it may not",
    0xC000007B: "a binary or DLL is for another architecture",
    0xC00000FD: "its stack is full",
    0xC0000135: "a DLL is missing from the image",
    0xC000013A: "it got Ctrl+C, or its console was closed",
    0xC0000142: "a DLL could not be initialized",
    0xC0000374: "its heap is damaged",
    0xC0000409: "the application aborted itself",
    0xE0434352: "an exception of .NET was not handled",
}
"""What Windows says by an exit code (NTSTATUS, [MS-ERREF]), which Kubernetes writes as a negative number."""

_WINDOWS_REMEDIES = {
    0xC000007B: "build the application for the image's architecture",
    0xC0000135: "add the DLL to the image, or use a larger base image (Server Core instead of Nano Server)",
    0xC000013A: "let the container run a program that needs no console: an interactive shell ends at once",
}


def exit_meaning(code: int, reason: str) -> str:
    """Return an exit code with its usual meaning."""
    meaning = _REASONS.get(reason) or EXIT_CODES.get(code) or _signal(code) or _windows(code)
    return f"exit code {code} ({meaning})" if meaning else f"exit code {code}"


_REASONS = {
    "OOMKilled": "OOMKilled: it exceeded its memory limit",
    "Unknown": "Unknown: it ended while its node or container runtime restarted",
}


def _signal(code: int) -> str:
    if code - 128 not in {known.value for known in signal.Signals}:
        return ""
    name = signal.Signals(code - 128).name
    return f"killed by {name}: {SIGNALS[name][0]}" if name in SIGNALS else f"killed by {name}"


def _windows(code: int) -> str:
    status = code & _32_BITS
    return f"0x{status:X}: {WINDOWS[status]}" if status in WINDOWS else ""


_32_BITS = 0xFFFFFFFF


def exit_remedy(code: int) -> str:
    """Return what helps against an exit code."""
    known = {signal.Signals[name] + 128: remedy for name, (_, remedy) in SIGNALS.items()}
    return (REMEDIES | known).get(code) or _WINDOWS_REMEDIES.get(code & _32_BITS, _READ)
