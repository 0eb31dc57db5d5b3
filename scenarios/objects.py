"""Builders of Kubernetes objects: busybox pods, claims, volumes. A scenario adds the fields that it is about."""

from typing import Any

Object = dict[str, Any]

IMAGE = "busybox:1.36"
HOSTNAME = "kubernetes.io/hostname"
ROOM = "kubevitals.test/room"
"""The label that distinguishes the workers of the scenarios' cluster: rooms a and b."""


def container(sh: str = "sleep 1d", name: str = "app", **fields: Any) -> Object:
    return {"name": name, "image": IMAGE, "command": ["sh", "-c", sh]} | fields


def pod_spec(sh: str = "sleep 1d", *, room: str = "", **fields: Any) -> Object:
    """A pod's specification; its container mounts all its volumes unless `volumeMounts` says otherwise."""
    of_container = {key: fields.pop(key) for key in list(fields) if key in _CONTAINER_FIELDS}
    selector = {"nodeSelector": {ROOM: room}} if room else {}
    of_container.setdefault(
        "volumeMounts", [{"name": v["name"], "mountPath": f"/{v['name']}"} for v in fields.get("volumes", ())]
    )
    return {"containers": [container(sh, **of_container)], "terminationGracePeriodSeconds": 0} | selector | fields


_CONTAINER_FIELDS = {
    "env",
    "envFrom",
    "image",
    "imagePullPolicy",
    "command",
    "lifecycle",
    "ports",
    "resources",
    "livenessProbe",
    "readinessProbe",
    "securityContext",
    "startupProbe",
    "volumeMounts",
}


def pod(name: str, sh: str = "sleep 1d", **fields: Any) -> Object:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod_spec(sh, **fields)}


def deployment(name: str, replicas: int = 1, **fields: Any) -> Object:
    template = {"metadata": {"labels": {"app": name}}, "spec": pod_spec(**fields)}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def stateful_set(name: str, replicas: int = 1, **fields: Any) -> Object:
    return deployment(name, replicas, **fields) | {"kind": "StatefulSet"}


def daemon_set(name: str, **fields: Any) -> Object:
    result = deployment(name, **fields)
    del result["spec"]["replicas"]
    return result | {"kind": "DaemonSet"}


def job(name: str, sh: str, *, retries: int = 0, restart: str = "Never", **fields: Any) -> Object:
    spec = {"backoffLimit": retries, "template": {"spec": pod_spec(sh, restartPolicy=restart, **fields)}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def cron_job(
    name: str, sh: str = "true", *, schedule: str = "0 0 1 1 *", suspend: bool = False, **fields: Any
) -> Object:
    spec = {"schedule": schedule, "suspend": suspend, "jobTemplate": {"spec": job(name, sh, **fields)["spec"]}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": spec}


def service(name: str, port: int = 80, **selector: str) -> Object:
    spec = {"selector": selector or {"app": name}, "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def quota(name: str = "compute", **hard: str) -> Object:
    """A ResourceQuota; `_` in the name of a resource stands for `.`."""
    spec = {"hard": {resource.replace("_", "."): amount for resource, amount in hard.items()}}
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": spec}


def config_map(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def limit(**resources: str) -> Object:
    """The limits of a container; `_` in the name of a resource stands for `-`."""
    return {"limits": {name.replace("_", "-"): amount for name, amount in resources.items()}}


def mounting(**source: Any) -> list[Object]:
    """The volumes of a pod: one volume with the name `data`."""
    return [{"name": "data", **source}]


def claiming(claim: str = "data") -> list[Object]:
    return mounting(persistentVolumeClaim={"claimName": claim})


def claim(
    name: str = "data", storage_class: str | None = None, *, size: str = "1Gi", mode: str = "ReadWriteOnce"
) -> Object:
    spec = {"accessModes": [mode], "resources": {"requests": {"storage": size}}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": spec | ({} if storage_class is None else {"storageClassName": storage_class}),
    }


def volume(name: str, storage_class: str = "", *, size: str = "1Gi", room: str = "", **fields: Any) -> Object:
    affinity = {
        "required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": ROOM, "operator": "In", "values": [room]}]}]}
    }
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": size},
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": storage_class,
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": spec | ({"nodeAffinity": affinity} if room else {}) | (fields or {"hostPath": {"path": "/tmp"}}),
    }


def storage_class(name: str, provisioner: str = "kubernetes.io/no-provisioner", mode: str = "Immediate") -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": provisioner,
        "volumeBindingMode": mode,
    }


def csi_driver(name: str, *, attach: bool = True) -> Object:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "CSIDriver",
        "metadata": {"name": name},
        "spec": {"attachRequired": attach},
    }
