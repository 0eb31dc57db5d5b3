"""What kube-proxy's configuration asks of each node's connection tracking. kube-proxy sets it when it starts."""

import re
from typing import NamedTuple

import msgspec

from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.probe.report import Tracking
from kubevitals.source.request import Request

PATH = "/api/v1/namespaces/kube-system/configmaps/kube-proxy"
"""The ConfigMap of kubeadm (kubernetes/kubernetes cmd/kubeadm/app/constants)."""

_SECTION = re.compile(r"^conntrack:[ \t]{0,20}\n(?P<body>(?:[ \t]{1,20}\S[^\n]{0,300}\n?){0,50})", re.MULTILINE)
_SETTING = re.compile(
    r"^[ \t]{1,20}(tcpEstablishedTimeout|tcpCloseWaitTimeout|tcpBeLiberal): {0,20}(\S{1,40})\s*$", re.MULTILINE
)
"""The section and its settings (kubernetes/kubernetes staging/src/k8s.io/kube-proxy/config/v1alpha1/types.go)."""

_DURATION = re.compile(r'"?(?:(?P<h>\d{1,6})h)?(?:(?P<m>\d{1,6})m)?(?:(?P<s>\d{1,9})(?:\.\d{1,9})?s)?"?')
"""A duration as Go writes it: ``24h0m0s``."""


class _ConfigMap(msgspec.Struct):
    """The ConfigMap without all but these settings, when it is decoded: recordings keep no more, either."""

    data: dict[str, str] | None = None

    def __post_init__(self) -> None:
        self.data = {name: _settings_of(text) for name, text in (self.data or {}).items() if name == "config.conf"}


_CONFIG_MAP = msgspec.json.Decoder(_ConfigMap)


def _settings_of(text: str) -> str:
    section = _SECTION.search(text)
    settings = _SETTING.findall(section["body"]) if section else []
    return "".join(["conntrack:\n", *(f"  {name}: {value}\n" for name, value in settings)])


class Asked(NamedTuple):
    """What the configuration asks for, as far as it sets it.

    Attributes:
        tracking: the settings; None where it leaves a setting as it is, or to kube-proxy's default.
        unseen: why it could not be read, or nothing.
    """

    tracking: Tracking = Tracking()
    unseen: NotObserved | None = None


def asked_of_nodes(cluster: Cluster) -> Asked:
    """Return what kube-proxy's configuration sets; nothing if it is not in kubeadm's ConfigMap."""
    try:
        answer = cluster.fetcher.get(Request(PATH, json=_CONFIG_MAP))
        if answer.status == 404:
            return Asked()
        body = answer.expect("get configmaps in namespace kube-system").body
        text = (_CONFIG_MAP.decode(body).data or {}).get("config.conf", "")
    except NotObserved as error:
        return Asked(unseen=error)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Asked(unseen=NotObserved("the ConfigMap kube-system/kube-proxy cannot be read"))
    settings = dict(_SETTING.findall(text))
    return Asked(
        Tracking(
            established=_seconds(settings.get("tcpEstablishedTimeout", "")),
            close_wait=_seconds(settings.get("tcpCloseWaitTimeout", "")),
            liberal=1 if settings.get("tcpBeLiberal") == "true" else None,
        )
    )


def _seconds(text: str) -> int | None:
    """Return a duration in seconds; None for nothing, for null, and for 0, with which kube-proxy sets nothing."""
    match = _DURATION.fullmatch(text)
    parts = match.groupdict("0") if match else {"h": "0", "m": "0", "s": "0"}
    return int(parts["h"]) * 3600 + int(parts["m"]) * 60 + int(parts["s"]) or None
