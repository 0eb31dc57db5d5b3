"""Where the known tools put logs and lists: what the path of a file in a bundle says.

- kubectl: kubernetes/kubernetes staging/src/k8s.io/kubectl/pkg/cmd/clusterinfo/clusterinfo_dump.go
- must-gather: openshift/oc pkg/cli/admin/inspect
- Troubleshoot: replicatedhq/troubleshoot pkg/collect/cluster_resources.go
- Sonobuoy: vmware-tanzu/sonobuoy pkg/discovery
- Rancher: rancher/support-bundle-kit pkg/manager
- sos: sosreport/sos sos/report/plugins/kubernetes.py
- `deploy/collect`, which writes the file kubevitals-bundle first
"""

import re
from typing import NamedTuple

MARKER = "kubevitals-bundle"
"""The file of `deploy/collect`: the time at which it began. All its lists are of all namespaces."""

ALL = "*"
"""Stands for all namespaces."""

_NAME = r"[a-z0-9][a-z0-9.-]{0,252}"
_NS, _POD, _CONTAINER = rf"(?P<namespace>{_NAME})", rf"(?P<pod>{_NAME})", rf"(?P<container>{_NAME}?)"


class LogPlace(NamedTuple):
    """Whose log a file is.

    Attributes:
        container: the container; empty if the file has the logs of all, each between two lines that name it.
        stamped: whether each line begins with the time at which the kubelet received it.
    """

    namespace: str
    pod: str
    container: str
    previous: bool = False
    stamped: bool = False


class ListPlace(NamedTuple):
    """Of which kind and namespace a file has all objects.

    Attributes:
        plural: the kind, in the plural and in lower case.
        namespace: the namespace, `ALL`, or an empty text if the kind is cluster-scoped.
        folder: whether the file is one of a folder with one file for each object.
    """

    plural: str
    namespace: str
    folder: bool = False


def _paths(*forms: str) -> tuple[re.Pattern[str], ...]:
    """Return patterns of the ends of paths."""
    return tuple(re.compile(rf"(?:^|/){form}$") for form in forms)


_LOGS = _paths(
    rf"namespaces/{_NS}/pods/{_POD}/(?:{_NAME})/{_CONTAINER}/logs/(?:current|(?P<previous>previous))(?P<stamped>)\.log",
    rf"pods/logs/{_NS}/{_POD}/{_CONTAINER}(?P<previous>-previous)?\.log",
    rf"podlogs/{_NS}/{_POD}/logs/{_CONTAINER}\.txt",
    rf"logs/{_NS}/{_POD}/{_CONTAINER}\.log(?P<previous>\.1)?",
    rf"cluster-info/{_NS}/podlogs/{_POD}/\S{{1,400}}_-c_{_CONTAINER}",
    rf"{_NS}/{_POD}/logs\.txt",
)

_PLURAL = r"(?P<plural>[A-Za-z-]{2,63})"
_LISTS = _paths(
    rf"namespaces/{_NS}/[a-z0-9.-]{{1,253}}/{_PLURAL}\.yaml",
    rf"(?P<scoped>cluster-scoped-resources)/[a-z0-9.-]{{1,253}}/{_PLURAL}\.yaml",
    rf"(?P<scoped>cluster-scoped-resources)/[a-z0-9.-]{{1,253}}/{_PLURAL}/(?P<folder>[^/]{{1,260}})\.yaml",
    rf"cluster-resources/{_PLURAL}/{_NS}\.json",
    rf"cluster-resources/(?P<plural>statefulsets-errors)\.json/{_NS}\.json",
    rf"(?P<scoped>cluster-resources)/{_PLURAL}\.json",
    rf"resources/ns/{_NS}/(?:[a-z0-9.-]{{1,253}}_v[a-z0-9]{{1,20}}_)?{_PLURAL}\.json",
    rf"(?P<scoped>resources/cluster)/(?:[a-z0-9.-]{{1,253}}_v[a-z0-9]{{1,20}}_)?{_PLURAL}\.json",
    rf"yamls/namespaced/{_NS}/(?:[a-z0-9.-]{{1,253}}/){{1,2}}{_PLURAL}\.yaml",
    rf"(?P<scoped>yamls/cluster)/(?:[a-z0-9.-]{{1,253}}/){{1,2}}{_PLURAL}\.yaml",
    rf"cluster-info/{_NS}/\S{{0,400}}_get_-o_json_\S{{1,400}}_{_PLURAL}",
    rf"(?P<scoped>cluster-info)/\S{{0,400}}_get_-o_json_{_PLURAL}",
)
_DUMP = re.compile(rf"(?:^|/){_NS}/(?P<plural>events|services|daemonsets|deployments|replicasets|pods)\.(?:json|yaml)$")
_DUMP_NODES = re.compile(r"(?:^|/)(?P<plural>nodes)\.(?:json|yaml)$")

_SHORT = {
    "pvcs": "persistentvolumeclaims",
    "pvc": "persistentvolumeclaims",
    "pvs": "persistentvolumes",
    "pv": "persistentvolumes",
    "sc": "storageclasses",
    "ingress": "ingresses",
    "networkpolicy": "networkpolicies",
    "resourcequota": "resourcequotas",
    "namespace": "namespaces",
    "statefulsetserrors": "replicasets",
}
"""Names of files that are not the plural of the kind. Troubleshoot writes ReplicaSets into a folder of another name."""

DUMP_ONLY = "replication-controllers"
"""The file that only `kubectl cluster-info dump` writes, into the folder of each namespace."""

_SPARSE = "/resources/ns/"


def log_at(path: str) -> LogPlace | None:
    """Return whose log a file is, or nothing if it is not a log."""
    for form in _LOGS:
        if match := form.search(path):
            named = match.groupdict()
            previous, stamped = bool(named.get("previous")), "stamped" in named
            return LogPlace(named["namespace"], named["pod"], named.get("container") or "", previous, stamped)
    return None


def list_at(path: str) -> ListPlace | None:
    """Return of which kind and namespace a file has all objects, or nothing if the path does not say so."""
    for form in _LISTS:
        if match := form.search(path):
            named = match.groupdict()
            return ListPlace(plural_of(named["plural"]), named.get("namespace") or "", bool(named.get("folder")))
    return None


def dumped_at(path: str) -> ListPlace | None:
    """Return the same for a file in a bundle of `kubectl cluster-info dump`, whose names others may use as well."""
    if match := _DUMP.search(path):
        return ListPlace(match["plural"], match["namespace"])
    return ListPlace("nodes", "") if _DUMP_NODES.search(path) else None


_KUBELETS = re.compile(rf"(?:^|/)(?:kubelets|hosts)/(?P<node>{_NAME})/(?P<what>summary|configz)\.json$")
_ENDPOINTS = {"summary": "stats/summary", "configz": "configz"}


def kubelet_at(path: str) -> str | None:
    """Return the API path of a kubelet's answer, or nothing if a file is not one: `deploy/collect`, Sonobuoy."""
    match = _KUBELETS.search(path)
    return f"/api/v1/nodes/{match['node']}/proxy/{_ENDPOINTS[match['what']]}" if match else None


def plural_of(name: str) -> str:
    """Return the plural of a kind as in the API's paths, from the name of a file."""
    word = name.lower().replace("-", "")
    return _SHORT.get(word, word)


def omits_empty_lists(path: str) -> bool:
    """Return whether the file is of a tool that writes no file for an empty list: Sonobuoy."""
    return _SPARSE in f"/{path}"


def is_secret(path: str) -> bool:
    """Return whether a file has Secrets by its name."""
    return bool(re.search(r"(?:^|[/_])(?:image-pull-)?secrets?(?:\.(?:json|yaml)$|/|$)", path.lower()))
