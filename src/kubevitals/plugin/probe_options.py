"""The options of the probe."""

import re

import pytest

from kubevitals.errors import Unusable
from kubevitals.plugin.option_group import Group
from kubevitals.probe.plan import Options
from kubevitals.reports import progress
from kubevitals.text import clean
from kubevitals.threshold import seconds

MIN_TIMEOUT, MAX_TIMEOUT = 20, 600
"""Seconds for the whole probe: pods take some seconds to start, and the queries take up to 15."""

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_FORMS = {
    "namespace": (re.compile(_LABEL), "not a valid name of a namespace"),
    "pull_secret": (_NAME, "not a valid name of a Secret"),
    "outside": (re.compile(rf"{_NAME.pattern}\.?"), "not a DNS name"),
    "domain": (_NAME, "not a DNS domain"),
    "image": (re.compile(r"[\w.:/@-]{1,500}", re.ASCII), "not a valid image name"),
}
_OPTIONS = {
    "image": "--probe-image",
    "namespace": "--probe-namespace",
    "pull_secret": "--probe-image-pull-secret",
    "outside": "--probe-outside",
    "domain": "--cluster-domain",
}


def add(group: Group) -> None:
    """Declare the options."""
    defaults = Options()
    group.addoption(
        "--probe",
        action="store_true",
        help="test the network from inside: creates 2 pods per node for less than a minute, and removes them",
    )
    for name, text in (
        ("image", "the probe pods' image, any busybox"),
        ("namespace", "the probe pods' namespace"),
        ("domain", "the cluster's DNS domain"),
    ):
        default = getattr(defaults, name)
        group.addoption(_OPTIONS[name], metavar=name.upper(), help=f"{text} (default: {default})")
    group.addoption(
        _OPTIONS["pull_secret"],
        metavar="NAME",
        help="an existing Secret in that namespace, to pull the image",
    )
    group.addoption(
        "--probe-timeout",
        metavar="DURATION",
        help=f"time limit of the whole probe (default: {defaults.timeout:g}s)",
    )
    group.addoption(
        _OPTIONS["outside"],
        metavar="NAME",
        help=f"an external DNS name to look up, or '' for none (default: {defaults.outside}, which does not exist)",
    )
    group.addoption("--probe-dry-run", action="store_true", help="print what the probe would create, and exit")


def given(config: pytest.Config) -> list[str]:
    """Return the options of the probe that the user gave, without those that start it."""
    if config.getoption("probe_dry_run"):
        return []
    return [option for option in (*_OPTIONS.values(), "--probe-timeout") if config.getoption(option) is not None]


def chosen(config: pytest.Config) -> Options:
    """Return the options that the user chose for the probe.

    Raises:
        Unusable: a value cannot be used.
    """
    defaults = Options()
    given = {name: config.getoption(option) for name, option in _OPTIONS.items()}
    values = {name: getattr(defaults, name) if value is None else value for name, value in given.items()}
    for name, (form, fault) in _FORMS.items():
        if (value := values[name]) and not form.fullmatch(value):
            raise Unusable(f"{_OPTIONS[name]}: {clean(value, 60)!r} is {fault}")
        if not value and name != "outside" and getattr(defaults, name):
            raise Unusable(f"{_OPTIONS[name]}: give a value that is not empty")
    timeout = seconds("--probe-timeout", config.getoption("probe_timeout") or str(defaults.timeout))
    if not MIN_TIMEOUT <= timeout <= MAX_TIMEOUT:
        raise Unusable(f"--probe-timeout: give {MIN_TIMEOUT} to {MAX_TIMEOUT} s")
    return Options(**values, timeout=timeout, progress=lambda text: progress.show(config, text))


def dry_run(config: pytest.Config) -> str:
    """Return what the probe would create, as YAML.

    Raises:
        Unusable: a value cannot be used.
    """
    import yaml

    from kubevitals.source.probing.manifests import Made

    if config.getoption("snapshot"):
        raise Unusable("--probe-dry-run shows what would be created in a cluster: omit --snapshot")
    return yaml.safe_dump_all(Made.new(chosen(config)).all(), sort_keys=False)
