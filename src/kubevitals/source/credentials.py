"""Which cluster is asked, and with whose credentials: a kubeconfig's, or those of the pod that asks."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

from kubernetes import client, config
from kubernetes.config.kube_config import ConfigNode, KubeConfigMerger

from kubevitals.errors import Unusable
from kubevitals.source.response import without_number
from kubevitals.text import clean, near_name

IN_CLUSTER = "in-cluster"
"""What a cluster is called whose own pod asks."""


def connect(context: str | None, kubeconfig: str | None) -> tuple[client.ApiClient, str]:
    """Return a client with the credentials that kubectl would use, and what the cluster is called.

    Raises:
        Unusable: there are none, or they do not say how to reach a cluster.
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
    name = _context_name(KubeConfigMerger(file).config, context)
    with _errors_logged() as errors:
        api = config.new_client_from_config(
            config_file=file, context=name, persist_config=False, client_configuration=settings
        )
    if errors:
        raise Unusable(f"it gives no credentials for the context {name}: {errors[0]}")
    return api, name


def _context_name(merged: ConfigNode | None, context: str | None) -> str:
    if merged is None:
        raise Unusable("there is no such file")
    names = [str(entry["name"]) for entry in merged.value["contexts"]]
    name = context or str(merged.value.get("current-context") or "")
    if name not in names:
        wanted = f"no context {name}{near_name(name, names)}" if name else "no current context: give --context"
        raise Unusable(f"it has {wanted}; it has: {', '.join(names) or 'none at all'}")
    return name


@contextmanager
def _errors_logged() -> Iterator[list[str]]:
    """Collect the errors that are logged: of a credential plugin that fails the client says no more."""
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
            "no cluster to look at: set KUBECONFIG or have ~/.kube/config (kubectl config view shows it), "
            f"or give --snapshot demo to see what a run looks like{in_a_pod}"
        ) from error
    if context:
        raise Unusable(
            f"there is no kubeconfig with a context {clean(context)}: in a pod its own service account is used"
        )
    return client.ApiClient(settings), IN_CLUSTER


def for_kubelets(api: client.ApiClient, *, verify: bool) -> client.ApiClient:
    """Return a client with the same credentials for servers whose certificates may not be known."""
    settings = deepcopy(api.configuration)
    settings.verify_ssl = verify
    settings.tls_server_name = None
    return client.ApiClient(settings)
