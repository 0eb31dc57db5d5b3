"""The objects that the probe creates, and the labels that mark them."""

from importlib.resources import files
from secrets import token_hex
from typing import Any, NamedTuple

from kubevitals.objects import VIRTUAL_LABELS
from kubevitals.probe.plan import OS, PORT, Options
from kubevitals.probe.report import ProbeNetwork

Manifest = dict[str, Any]

MANAGED, RUN, LIFETIME = "app.kubernetes.io/managed-by", "kubevitals.io/run", "kubevitals.io/lifetime"
"""Labels of all objects of the probe: who manages them, the run, and after how many seconds that run is surely over."""

NETWORK, TARGETS = "kubevitals.io/network", "kubevitals.io/targets"
"""A pod's label with its network, and the annotation with its targets."""

NETWORKS: tuple[ProbeNetwork, ...] = ("pod", "host")

CLEANING = 30
"""Seconds that a run may need after its time is over, to read the logs of its pods and to remove them."""

SCRIPT = files(__package__).joinpath("script.sh").read_text("utf-8")

MAIN, VITALS = "probe", "vitals"
"""The container that runs the script, and the one that sends its vital readings."""

SEND = """\
until [ -e /scratch/done ]; do sleep 1; done
if [ ! -e /scratch/sent ]; then
  : >/scratch/sent
  cat /scratch/vitals >/dev/termination-log
  exit
fi
while :; do sleep 3600; done
"""
"""Sends the vital readings as a termination message: the kubelet sends it with the pod's status, so it arrives even if
the API server cannot reach the kubelet for the log. The container is started again once, and then waits."""


class Made(NamedTuple):
    """The objects of one run.

    Attributes:
        token: the answer of the pods, which is secret while the run lasts.
    """

    options: Options
    run: str
    token: str

    @classmethod
    def new(cls, options: Options) -> "Made":
        """Return the objects of a new run."""
        return cls(options, token_hex(4), token_hex(16))

    @property
    def namespace(self) -> Manifest:
        """The namespace. Its PodSecurity level has to allow the host's network."""
        labels = {MANAGED: "kubevitals", "pod-security.kubernetes.io/enforce": "privileged"}
        return {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self.options.namespace, "labels": labels},
        }

    @property
    def service(self) -> Manifest:
        """A NodePort Service for the pods in the pod network."""
        spec = {
            "type": "NodePort",
            "ipFamilyPolicy": "PreferDualStack",
            "publishNotReadyAddresses": True,
            "selector": {RUN: self.run, NETWORK: "pod"},
            "ports": [{"name": "http", "port": 80, "targetPort": PORT, "protocol": "TCP"}],
        }
        return {"apiVersion": "v1", "kind": "Service", "metadata": self._metadata(self.service_name), "spec": spec}

    @property
    def service_name(self) -> str:
        """The Service's name."""
        return f"probe-{self.run}"

    def daemon_set_name(self, network: ProbeNetwork) -> str:
        """Return the name of the DaemonSet in a network."""
        return f"probe-{network}-{self.run}"

    def daemon_set(self, network: ProbeNetwork) -> Manifest:
        """Return the DaemonSet whose pods are in a network."""
        labels = self._labels() | {NETWORK: network}
        spec = {
            "selector": {"matchLabels": {RUN: self.run, NETWORK: network}},
            "template": {"metadata": {"labels": labels}, "spec": self._pod(network)},
        }
        metadata = self._metadata(self.daemon_set_name(network))
        return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec}

    def all(self) -> list[Manifest]:
        """Return all objects in the order in which they are created."""
        return [self.namespace, self.service, *(self.daemon_set(network) for network in NETWORKS)]

    def _labels(self) -> dict[str, str]:
        lifetime = str(int(self.options.timeout) + CLEANING)
        return {MANAGED: "kubevitals", RUN: self.run, LIFETIME: lifetime}

    def _metadata(self, name: str) -> Manifest:
        return {"name": name, "namespace": self.options.namespace, "labels": self._labels()}

    def _pod(self, network: ProbeNetwork) -> Manifest:
        """Return a pod without privileges. It ends at once when it is deleted."""
        secret = self.options.pull_secret
        real = [{"key": key, "operator": "NotIn", "values": [value]} for key, value in VIRTUAL_LABELS]
        nodes = {"nodeSelectorTerms": [{"matchExpressions": real}]}
        targets = {"path": "targets", "fieldRef": {"fieldPath": f"metadata.annotations['{TARGETS}']"}}
        return {
            "nodeSelector": {OS: "linux"},
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": nodes}},
            "tolerations": [{"operator": "Exists"}],
            "hostNetwork": network == "host",
            "dnsPolicy": "Default" if network == "host" else "ClusterFirst",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "imagePullSecrets": [{"name": secret}] if secret else [],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "runAsGroup": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": [
                {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
                {"name": "targets", "downwardAPI": {"items": [targets]}},
            ],
            "containers": [self._main(network), self._vitals()],
        }

    def _main(self, network: ProbeNetwork) -> Manifest:
        environment = {"NETWORK": network, "RUN": self.run, "TOKEN": self.token, "PORT": str(PORT)}
        return self._container(MAIN, SCRIPT, memory="64Mi") | {
            "env": [{"name": name, "value": value} for name, value in environment.items()],
            "readinessProbe": {
                "exec": {"command": ["test", "-e", "/scratch/done"]},
                "periodSeconds": 1,
                "failureThreshold": 1,
            },
            "volumeMounts": [
                {"name": "scratch", "mountPath": "/scratch"},
                {"name": "targets", "mountPath": "/targets", "readOnly": True},
            ],
        }

    def _vitals(self) -> Manifest:
        return self._container(VITALS, SEND, memory="16Mi") | {
            "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
        }

    def _container(self, name: str, script: str, memory: str) -> Manifest:
        return {
            "name": name,
            "image": self.options.image,
            "command": ["sh", "-c", script],
            "resources": {
                "requests": {"cpu": "10m", "memory": "16Mi"},
                "limits": {"cpu": "500m", "memory": memory},
            },
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        }
