"""The one command that grants the rights of deploy/base to an account that has none."""

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from kubevitals.text import clean

RIGHTS = Path(__file__).with_name("rbac.yaml")
OWN = "system:serviceaccount:kubevitals:kubevitals"
"""The service account of `RIGHTS`, which the file grants its rights."""

_ACCOUNT = re.compile(r'User "([^"]{1,300})" cannot')
_SERVICE_ACCOUNT = "system:serviceaccount:"


def granting(refusals: Iterable[str]) -> str:
    """Return the command, for the account that the API server's refusals name; nothing if they name none."""
    account = next((found[1] for text in refusals if (found := _ACCOUNT.search(text))), "")
    if not account:
        return ""
    apply = f"kubectl apply -f {shlex.quote(_shown(RIGHTS.resolve()))}"
    if account == OWN:
        return apply
    name = re.sub(r"[^a-z0-9.-]+", "-", account.removeprefix(_SERVICE_ACCOUNT).lower())
    subject = f"--user {shlex.quote(clean(account))}"
    if account.startswith(_SERVICE_ACCOUNT):
        subject = f"--serviceaccount {shlex.quote(clean(account.removeprefix(_SERVICE_ACCOUNT)))}"
    return f"{apply} && kubectl create clusterrolebinding kubevitals-{name} --clusterrole kubevitals {subject}"


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
