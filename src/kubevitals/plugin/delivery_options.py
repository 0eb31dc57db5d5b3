"""The options of what is delivered to servers, and of what these need to know about the run."""

import re
from argparse import ArgumentTypeError
from pathlib import Path

from kubevitals.plugin.option_group import Group
from kubevitals.reports.delivery.form import Form
from kubevitals.text import clean


def add(group: Group) -> None:
    """Declare the options."""
    group.addoption(
        "--display-name",
        metavar="NAME",
        type=_name,
        help="the cluster's name in reports, metrics and notifications (default: the kubeconfig context)",
    )
    group.addoption(
        "--period",
        metavar="DURATION",
        default="1h",
        help="how often you start such a run; alerts end after two periods without one (default: 1h)",
    )
    group.addoption("--push", action="store_true", help="push metrics to the Pushgateway at $KUBEVITALS_PUSH_URL")
    group.addoption(
        "--notify",
        choices=list(Form),
        help="post what is new, worse and resolved to $KUBEVITALS_NOTIFY_URL: as JSON, to Slack, or to Alertmanager",
    )
    for option in ("--push", "--notify"):
        group.addoption(
            file_option(option),
            metavar="PATH",
            type=Path,
            help=f"a file that has the URL for {option}, instead of ${variable(option)}",
        )


def file_option(option: str) -> str:
    """Return the option that names a file with the URL for an option."""
    return f"{option}-url-file"


def variable(option: str) -> str:
    """Return the environment variable that has the URL for an option."""
    return f"KUBEVITALS_{option.strip('-').upper()}_URL"


def _name(text: str) -> str:
    """Return the name of a cluster.

    Raises:
        ArgumentTypeError: it is empty, too long, or has characters that a name should not have.
    """
    if not re.fullmatch(r"[\w.:@/-]{1,200}", text):
        raise ArgumentTypeError(f"{clean(text, 80)!r} is not a name: give letters, digits and any of . : @ / - _")
    return text
