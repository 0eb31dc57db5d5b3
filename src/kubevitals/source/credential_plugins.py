"""Credential plugins of a kubeconfig, which the client would wait for without end, and read without bound."""

import os
import subprocess
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from types import SimpleNamespace

from kubernetes import config
from kubernetes.config import exec_provider

from kubevitals.text import clean

PLUGIN_SECONDS = 60.0
"""How long a credential plugin may take: a user may have to log in."""

PLUGIN_BYTES = 1 << 20
"""How much a credential plugin may print: a token and a certificate with its key have some KiB."""


class _LimitedProcess(subprocess.Popen[str]):
    """A credential plugin that is ended if it takes too long or prints too much."""

    def communicate(self, input: str | None = None, timeout: float | None = None) -> tuple[str, str]:  # noqa: A002
        """Return what the plugin printed; it gets no input from here.

        Raises:
            ConfigException: it takes too long, or prints too much.
        """
        del input
        pipes = [pipe.fileno() if pipe else None for pipe in (self.stdout, self.stderr)]
        try:
            printed = _printed({pipe for pipe in pipes if pipe is not None}, timeout or PLUGIN_SECONDS)
            self.wait(PLUGIN_SECONDS)
        except (ValueError, subprocess.TimeoutExpired) as error:
            self.kill()
            self.wait()
            name = clean(str(self.args[0] if isinstance(self.args, list) else self.args), 200)
            why = error if isinstance(error, ValueError) else f"took longer than {PLUGIN_SECONDS:g} s"
            raise config.ConfigException(f"exec: {name} {why}") from error
        finally:
            for stream in filter(None, (self.stdout, self.stderr)):
                stream.close()
        out, err = (printed.get(pipe, b"").decode("utf-8", "replace") if pipe is not None else "" for pipe in pipes)
        return out, err


def _printed(pipes: set[int], seconds: float) -> dict[int, bytes]:
    """Return all that comes from pipes until their end.

    Raises:
        ValueError: it takes too long, or it is too much.
    """
    printed, end = dict.fromkeys(pipes, b""), monotonic() + seconds
    with DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0, end - monotonic()))
            if not ready:
                raise ValueError(f"took longer than {seconds:g} s")
            for key, _ in ready:
                part = os.read(key.fd, 1 << 16)
                printed[key.fd] += part
                if not part:
                    selector.unregister(key.fd)
                elif len(printed[key.fd]) > PLUGIN_BYTES:
                    raise ValueError(f"printed more than {PLUGIN_BYTES:,} bytes")
    return printed


def limit_plugins() -> None:
    """Have the client limit credential plugins, also when it renews a token."""
    limited = SimpleNamespace(Popen=_LimitedProcess, PIPE=subprocess.PIPE)
    setattr(exec_provider, "subprocess", limited)  # noqa: B010 - mypy knows the module's own
