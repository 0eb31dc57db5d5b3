"""Lays the objects of a recording out as the tools that dump clusters do."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import yaml

from kubevitals.source.bundle.kinds import group_of
from tests.bundles import Json, Layout, Recorded


def _bare(objects: Iterable[Json]) -> list[Json]:
    return [{key: value for key, value in obj.items() if key not in ("apiVersion", "kind")} for obj in objects]


def _typed(objects: list[Json], kind: str, version: str = "v1") -> str:
    """Return a list as kubectl's JSON printer writes a typed one: its items have no kinds, and no list is empty."""
    items = _bare(objects) or None
    return json.dumps({"kind": f"{kind}List", "apiVersion": version, "metadata": {}, "items": items}, indent=4)


def _list(objects: list[Json]) -> Json:
    return {"apiVersion": "v1", "items": objects, "kind": "List", "metadata": {"resourceVersion": ""}}


_DUMPED = {
    "events": ("Event", "v1"),
    "services": ("Service", "v1"),
    "daemonsets": ("DaemonSet", "apps/v1"),
    "deployments": ("Deployment", "apps/v1"),
    "replicasets": ("ReplicaSet", "apps/v1"),
    "pods": ("Pod", "v1"),
}


def cluster_info_dump(recorded: Recorded) -> Layout:
    """`kubectl cluster-info dump -A --output-directory`."""
    files = {"nodes.json": _typed(recorded.objects["nodes"], "Node")}
    for namespace in recorded.namespaces:
        files[f"{namespace}/replication-controllers.json"] = _typed([], "ReplicationController")
        for plural, (kind, version) in _DUMPED.items():
            files[f"{namespace}/{plural}.json"] = _typed(recorded.of(plural, namespace), kind, version)
        for pod in recorded.of("pods", namespace):
            files[f"{namespace}/{pod['metadata']['name']}/logs.txt"] = _sections(recorded, pod)
    return files


def _sections(recorded: Recorded, pod: Json) -> str:
    namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    out = ""
    spec = pod.get("spec", {})
    for container in (*spec.get("initContainers", ()), *spec.get("containers", ())):
        if (text := recorded.current_logs.get((namespace, name, container["name"]))) is not None:
            of = f"logs for container {container['name']} of pod {namespace}/{name} ====\n"
            out += f"==== START {of}{text}==== END {of}"
    return out


def cluster_info_yaml(recorded: Recorded) -> Layout:
    """`kubectl cluster-info dump -A -o yaml --output-directory`."""
    return {
        path.replace(".json", ".yaml"): text if path.endswith(".txt") else _yaml(json.loads(text))
        for path, text in cluster_info_dump(recorded).items()
    }


def cluster_info_stream(recorded: Recorded) -> Layout:
    """`kubectl cluster-info dump -A > cluster-info.txt`."""
    files = cluster_info_dump(recorded)
    order = [*_DUMPED, "replication-controllers"]
    texts = [files["nodes.json"]]
    for namespace in recorded.namespaces:
        texts += [files[f"{namespace}/{plural}.json"] for plural in order]
        pods = recorded.of("pods", namespace)
        texts += [files[f"{namespace}/{pod['metadata']['name']}/logs.txt"] for pod in pods]
    return {"cluster-info.txt": "\n".join(texts)}


def collected(recorded: Recorded) -> Layout:
    """`deploy/collect`."""
    files = {f"{plural}.json": json.dumps(_list(objects)) for plural, objects in recorded.objects.items()}
    files["kubevitals-bundle"] = f"{recorded.snapshot.now:%Y-%m-%dT%H:%M:%SZ}\n"
    files["version.json"] = json.dumps({"clientVersion": {}, "serverVersion": {"gitVersion": recorded.version}})
    files["readyz.txt"] = "[+]ping ok\nreadyz check passed\n"
    names = [_metadata_only(obj) for obj in recorded.objects["configmaps"]]
    files["configmaps.json"] = "\n".join(map(json.dumps, names))
    return files | recorded.kubelets | _logs(recorded, "logs/{0}/{1}/{2}.log", ".1")


def _metadata_only(obj: Json) -> Json:
    kept = {key: obj["metadata"][key] for key in ("name", "namespace")}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": kept}


def _logs(recorded: Recorded, form: str, previous: str, *, before: str = "") -> Layout:
    files = {}
    for (namespace, pod, container, is_previous), text in recorded.logs.items():
        stem, dot, ending = form.format(namespace, pod, container).rpartition(".")
        if previous.startswith("-"):
            path = stem + (previous if is_previous else "") + dot + ending
        else:
            path = stem + dot + ending + (previous if is_previous else "")
        files[path] = "".join(f"{before}{line}\n" for line in text.splitlines())
    return files


def kubectl_files(recorded: Recorded) -> Layout:
    """`kubectl get … -A -o yaml`, into one file for each kind."""
    return {
        f"out/{plural}.yaml": yaml.dump(_list(objects), Dumper=yaml.CSafeDumper)
        for plural, objects in recorded.objects.items()
    }


_INSPECTED = (
    ("core", "pods", "configmaps", "events", "persistentvolumeclaims", "services"),
    ("apps", "deployments", "daemonsets", "replicasets", "statefulsets"),
    ("batch", "jobs", "cronjobs"),
    ("discovery.k8s.io", "endpointslices"),
    ("policy", "poddisruptionbudgets"),
    ("autoscaling", "horizontalpodautoscalers"),
    ("coordination.k8s.io", "leases"),
)
_CLUSTER_SCOPED = (
    "nodes",
    "persistentvolumes",
    "storageclasses",
    "csinodes",
    "csidrivers",
    "volumeattachments",
    "apiservices",
    "certificatesigningrequests",
)


def must_gather(recorded: Recorded) -> Layout:
    """`oc adm must-gather`, which inspects namespaces (here all) and some cluster-scoped kinds (its gather script)."""
    root = "must-gather.local.1/quay-io-image-sha256-0123456789abcdef"
    at = f"{recorded.snapshot.now:%Y-%m-%d %H:%M:%S}.123456789 +0000 UTC m=+0.1"
    files = {f"{root}/timestamp": f"{at}\n{at}\n", f"{root}/version": "openshift/must-gather\n4.16\n"}
    for namespace in recorded.namespaces:
        place = f"{root}/namespaces/{namespace}"
        files[f"{place}/{namespace}.yaml"] = _yaml(_named(recorded.objects["namespaces"], namespace))
        for group, *plurals in _INSPECTED:
            for plural in plurals:
                objects = recorded.of(plural, namespace)
                files[f"{place}/{group}/{plural}.yaml"] = _yaml(_list(objects) | {"kind": "List"})
    for plural in _CLUSTER_SCOPED:
        for obj in recorded.objects[plural]:
            name = obj["metadata"]["name"]
            files[f"{root}/cluster-scoped-resources/{group_of(obj['apiVersion']) or 'x'}/{plural}/{name}.yaml"] = _yaml(
                obj
            )
    form = f"{root}/namespaces/{{0}}/pods/{{1}}/{{2}}/{{2}}/logs/"
    for key, text in recorded.logs.items():
        file = "previous.log" if key[3] else "current.log"
        files[form.format(*key) + file] = "".join(
            f"2026-03-01T12:00:00.123456789Z {line}\n" for line in text.splitlines()
        )
    return files


def _yaml(value: Any) -> str:
    return "---\n" + yaml.dump(value, Dumper=yaml.CSafeDumper)


def _named(objects: list[Json], name: str) -> Json:
    return next(obj for obj in objects if obj["metadata"]["name"] == name)


_OF_TROUBLESHOOT = {
    "pods": "pods",
    "services": "services",
    "deployments": "deployments",
    "statefulsets": "statefulsets",
    "daemonsets": "daemonsets",
    "replicasets": "statefulsets-errors.json",
    "jobs": "jobs",
    "cronjobs": "cronjobs",
    "ingresses": "ingress",
    "networkpolicies": "network-policy",
    "resourcequotas": "resource-quota",
    "limitranges": "limitranges",
    "events": "events",
    "persistentvolumeclaims": "pvcs",
    "poddisruptionbudgets": "pod-disruption-budgets",
    "endpointslices": "endpointslices",
    "configmaps": "configmaps",
    "leases": "leases",
}


def troubleshoot(recorded: Recorded) -> Layout:
    """`kubectl support-bundle`, of all namespaces."""
    root = "support-bundle-2026-03-01T12_00_00/cluster-resources"
    files = {
        f"{root}/namespaces.json": _typed(recorded.objects["namespaces"], "Namespace"),
        f"{root}/nodes.json": _typed(recorded.objects["nodes"], "Node"),
        f"{root}/pvs.json": _typed(recorded.objects["persistentvolumes"], "PersistentVolume"),
        f"{root}/storage-classes.json": json.dumps(_bare(recorded.objects["storageclasses"])),
        f"{root}/volumeattachments.json": _typed(
            recorded.objects["volumeattachments"], "VolumeAttachment", "storage.k8s.io/v1"
        ),
        f"{root}/pods-errors.json": "{}",
        "support-bundle-2026-03-01T12_00_00/cluster-info/cluster_version.json": json.dumps(
            {"info": {"gitVersion": recorded.version}, "string": recorded.version}
        ),
    }
    for plural, folder in _OF_TROUBLESHOOT.items():
        for namespace in recorded.namespaces:
            files[f"{root}/{folder}/{namespace}.json"] = json.dumps(_bare(recorded.of(plural, namespace)), indent=2)
    return files | _logs(recorded, f"{root}/pods/logs/{{0}}/{{1}}/{{2}}.log", "-previous")


def sonobuoy(recorded: Recorded) -> Layout:
    """`sonobuoy retrieve`: no file for an empty list."""
    files = {"serverversion.json": json.dumps({"major": "1", "gitVersion": recorded.version})}
    for plural, objects in recorded.objects.items():
        if not objects:
            continue
        group = (group_of(f"/apis/{objects[0]['apiVersion']}") or "core") if "/" in objects[0]["apiVersion"] else "core"
        name = f"{group}_v1_{plural}.json"
        if not recorded.is_namespaced(plural):
            files[f"resources/cluster/{name}"] = json.dumps(_list(objects))
            continue
        for namespace in recorded.namespaces:
            if of_it := recorded.of(plural, namespace):
                files[f"resources/ns/{namespace}/{name}"] = json.dumps(_list(of_it))
    logs = recorded.current_logs
    return files | {f"podlogs/{ns}/{pod}/logs/{name}.txt": text for (ns, pod, name), text in logs.items()}


def rancher(recorded: Recorded) -> Layout:
    """The support-bundle-kit of Rancher, Harvester and Longhorn, here for all namespaces."""
    root = "supportbundle_0123_2026-03-01T12-00-00Z"
    about = {
        "projectName": "Longhorn",
        "kubernetesVersion": recorded.version,
        "bundleCreatedAt": f"{recorded.snapshot.now:%Y-%m-%dT%H:%M:%SZ}",
    }
    files = {f"{root}/metadata.yaml": yaml.dump(about)}
    for plural, objects in recorded.objects.items():
        version = recorded.listings[plural].path.removeprefix("/apis/").removeprefix("/api/").rpartition("/")[0]
        version = version.partition("/namespaces/")[0]
        if not recorded.is_namespaced(plural):
            files[f"{root}/yamls/cluster/{version}/{plural}.yaml"] = _yaml(_list(objects))
            continue
        for namespace in recorded.namespaces:
            files[f"{root}/yamls/namespaced/{namespace}/{version}/{plural}.yaml"] = _yaml(
                _list(recorded.of(plural, namespace))
            )
    return files | _logs(recorded, f"{root}/logs/{{0}}/{{1}}/{{2}}.log", ".1")


_OF_SOS = {
    "events": "events",
    "deployments": "deployments",
    "ingresses": "ingresses",
    "pods": "pods",
    "persistentvolumeclaims": "pvc",
    "services": "services",
    "daemonsets": "daemonsets",
    "replicasets": "replicasets",
    "statefulsets": "statefulsets",
    "configmaps": "configmaps",
    "jobs": "jobs",
    "cronjobs": "cronjobs",
    "limitranges": "limitranges",
    "resourcequotas": "resourcequotas",
}


def sos(recorded: Recorded) -> Layout:
    """`sos report -k kubernetes.all -k kubernetes.podlogs` on a control-plane node."""
    root = "sosreport-control-plane-2026-03-01-abcdefg/sos_commands/kubernetes/cluster-info"
    command = "kubectl_--kubeconfig_.etc.kubernetes.admin.conf"
    files = {
        f"{root}/{command}_get_-o_json_nodes": json.dumps(_list(recorded.objects["nodes"])),
        f"{root}/{command}_get_-o_json_sc": json.dumps(_list(recorded.objects["storageclasses"])),
        f"{root}/{command}_get_-o_json_pv": json.dumps(_list(recorded.objects["persistentvolumes"])),
        f"{root}/{command}_get_namespaces": "NAME STATUS AGE\ndefault Active 1d\n",
    }
    for namespace in recorded.namespaces:
        for plural, name in _OF_SOS.items():
            path = f"{root}/{namespace}/{command}_get_-o_json_--namespace_{namespace}_{name}"
            files[path] = json.dumps(_list(recorded.of(plural, namespace)))
    for (namespace, pod, container), text in recorded.current_logs.items():
        place = f"{root}/{namespace}/podlogs/{pod}/{command}_--namespace_{namespace}_logs_{pod}_-c_{container}"
        files[place] = text
    return files


LAYOUTS: Mapping[str, Callable[[Recorded], Layout]] = {
    "deploy/collect": collected,
    "kubectl get": kubectl_files,
    "kubectl cluster-info dump": cluster_info_dump,
    "must-gather": must_gather,
    "Troubleshoot": troubleshoot,
    "Sonobuoy": sonobuoy,
    "Rancher": rancher,
    "sos": sos,
}
"""The formats by the names that docs/bundles.md has."""
