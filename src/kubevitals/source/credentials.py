"""The cluster and the credentials to use: those of a kubeconfig, or those of the pod that runs the checks."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

from kubernetes import client, config
from kubernetes.config.kube_config import ConfigNode, KubeConfigMerger

from kubevitals.errors import Unusable
from kubevitals.input_files import require_readable
from kubevitals.source.credential_plugins import limit_plugins
from kubevitals.source.request import IN_CLUSTER
from kubevitals.source.response import without_number
from kubevitals.source.usable_credentials import require_usable
from kubevitals.text import clean, near_name

KUBECONFIG_SIZE = 100 << 20
"""Bytes of a kubeconfig. One of a thousand clusters has a few million."""

NAMES = 6000
"""Names in a kubeconfig: a context has three, with those of its cluster and user."""

_NAME = re.compile(rb"\bname[\"']?\s*:")


def connect(context: str | None, kubeconfig: str | None) -> tuple[client.ApiClient, str]:
    """Return a client with the credentials that kubectl would use, and the name of the cluster.

    Raises:
        Unusable: there are no credentials, or they do not say how to reach a cluster.
    """
    settings = client.Configuration()
    settings.retries = False
    settings.connection_pool_maxsize = 16
    file = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    if file == "~/.kube/config" and not Path(file).expanduser().exists():
        return _connect_in_cluster(context, settings)
    try:
        return _connect_by_kubeconfig(file, context, settings)
    except Exception as error:
        raise Unusable(f"the kubeconfig {clean(file)} cannot be used: {clean(without_number(str(error)))}") from error


def _connect_by_kubeconfig(
    file: str, context: str | None, settings: client.Configuration
) -> tuple[client.ApiClient, str]:
    for path in file.split(os.pathsep):
        _require_few_names(require_readable(Path(path).expanduser(), KUBECONFIG_SIZE))
    limit_plugins()
    merged = KubeConfigMerger(file).config
    name = _context_name(merged, context)
    with _errors_logged() as errors:
        api = config.new_client_from_config_dict(
            config_dict=merged, context=name, persist_config=False, client_configuration=settings
        )
    if errors:
        raise Unusable(f"no credentials for the context {name}: {errors[0]}")
    require_usable(api.configuration)
    return api, name


def _require_few_names(file: Path) -> None:
    """Refuse a file with very many contexts, for which the client needs minutes: it compares each with all others."""
    if file.is_file() and len(_NAME.findall(file.read_bytes())) > NAMES:
        raise Unusable(
            f"it has more than {NAMES:,} names: take one context out of it with "
            "kubectl config view --minify --flatten --context NAME"
        )


def _context_name(merged: ConfigNode | None, context: str | None) -> str:
    if merged is None:
        raise Unusable("the file does not exist")
    names = [str(entry["name"]) for entry in merged.value["contexts"]]
    name = context or str(merged.value.get("current-context") or "")
    if name not in names:
        missing = f"no context {name}{near_name(name, names)}" if name else "no current context: give --context"
        raise Unusable(f"it has {missing}; its contexts: {', '.join(names) or 'none'}")
    return name


@contextmanager
def _errors_logged() -> Iterator[list[str]]:
    """Collect logged errors: the client only logs why a credential plugin failed."""
    errors: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: errors.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        yield errors
    finally:
        logging.getLogger().removeHandler(handler)


def _connect_in_cluster(context: str | None, settings: client.Configuration) -> tuple[client.ApiClient, str]:
    try:
        config.load_incluster_config(client_configuration=settings)
    except (config.ConfigException, OSError) as error:
        in_a_pod = f"; in a pod: {clean(str(error))}" if os.environ.get("KUBERNETES_SERVICE_HOST") else ""
        raise Unusable(
            "no cluster to check: set KUBECONFIG or create ~/.kube/config (kubectl config view shows it), "
            f"or give --snapshot demo to see an example run{in_a_pod}"
        ) from error
    if context:
        raise Unusable(f"there is no kubeconfig with a context {clean(context)}: in a pod, its service account is used")
    return client.ApiClient(settings), IN_CLUSTER


def for_kubelets(api: client.ApiClient, *, verify: bool) -> client.ApiClient:
    """Return a client with the same credentials for kubelets, whose certificates another CA may have signed."""
    settings = deepcopy(api.configuration)
    settings.verify_ssl = verify
    settings.tls_server_name = None
    return client.ApiClient(settings)
