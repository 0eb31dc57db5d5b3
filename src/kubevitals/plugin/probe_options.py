"""What the command line says of the probe."""

import re

import pytest
import yaml

from kubevitals.errors import Unusable
from kubevitals.probe.plan import Options
from kubevitals.source.probing.manifests import Made
from kubevitals.text import clean
from kubevitals.threshold import seconds

MIN_TIMEOUT, MAX_TIMEOUT = 20, 600
"""Seconds that the probe may have: pods take some seconds to start, asking all takes up to 15."""

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_FORMS = {
    "namespace": (re.compile(_LABEL), "no name of a namespace"),
    "pull_secret": (_NAME, "no name of a Secret"),
    "outside": (re.compile(rf"{_NAME.pattern}\.?"), "no DNS name"),
    "domain": (_NAME, "no DNS domain"),
    "image": (re.compile(r"[\w.:/@-]{1,500}", re.ASCII), "no name of an image"),
}
_OPTIONS = {
    "image": "--probe-image",
    "namespace": "--probe-namespace",
    "pull_secret": "--probe-image-pull-secret",
    "outside": "--probe-outside",
    "domain": "--cluster-domain",
}


def add(group: pytest.OptionGroup) -> None:
    """Declare the options."""
    defaults = Options()
    group.addoption(
        "--probe",
        action="store_true",
        help="look at the network from inside: creates 2 pods a node for under a minute, and removes them",
    )
    for name, text in (
        ("image", "image of the probe's pods; any busybox"),
        ("namespace", "where the probe's pods live"),
        ("domain", "the cluster's DNS domain"),
    ):
        default = getattr(defaults, name)
        group.addoption(_OPTIONS[name], metavar=name.upper(), default=default, help=f"{text} (default: {default})")
    group.addoption(
        _OPTIONS["pull_secret"], metavar="NAME", default="", help="an existing Secret to pull that image with"
    )
    group.addoption(
        "--probe-timeout", metavar="DURATION", default="60s", help="time for the whole probe (default: 60s)"
    )
    group.addoption(
        _OPTIONS["outside"],
        metavar="NAME",
        default=defaults.outside,
        help=f"a name outside the cluster to look up, '' for none (default: {defaults.outside}, which does not exist)",
    )
    group.addoption("--probe-dry-run", action="store_true", help="print what the probe would create, and end")


def chosen(config: pytest.Config) -> Options:
    """Return what the user chose about the probe.

    Raises:
        Unusable: a value cannot be used.
    """
    values = {name: config.getoption(option) for name, option in _OPTIONS.items()}
    for name, (form, fault) in _FORMS.items():
        if (value := values[name]) and not form.fullmatch(value):
            raise Unusable(f"{_OPTIONS[name]}: {clean(value, 60)!r} is {fault}")
        if not value and getattr(Options(), name):
            raise Unusable(f"{_OPTIONS[name]}: it must not be empty")
    timeout = seconds("--probe-timeout", config.getoption("probe_timeout"))
    if not MIN_TIMEOUT <= timeout <= MAX_TIMEOUT:
        raise Unusable(f"--probe-timeout: it must be {MIN_TIMEOUT} to {MAX_TIMEOUT} s")
    return Options(**values, timeout=timeout)


def dry_run(config: pytest.Config) -> str:
    """Return as YAML what the probe would create.

    Raises:
        Unusable: a value cannot be used.
    """
    if config.getoption("snapshot"):
        raise Unusable("--probe-dry-run shows what would be created in a cluster: it does not go with --snapshot")
    return yaml.safe_dump_all(Made.new(chosen(config)).all(), sort_keys=False)
