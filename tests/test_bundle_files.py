"""Files of bundles: archives, other encodings, what is cut off, hostile, or of two clusters."""

import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved, Unusable
from kubevitals.facts.network.gateways import GATEWAYS, HTTP_ROUTES
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.bundle import contents as contents_module
from kubevitals.source.bundle import files as files_module
from kubevitals.source.bundle import texts as texts_module
from kubevitals.source.bundle.bundle import Bundle
from kubevitals.source.bundle.files import is_bundle
from tests.bundles import Layout, bundle, cluster_in, write
from tests.fakes import NOW

AT = f"{NOW:%Y-%m-%dT%H:%M:%SZ}"


def meta(name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    return {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": AT} | (
        {"namespace": namespace} if namespace else {} | more
    )


def pod(name: str = "web-0", namespace: str = "shop", **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta(name, namespace)} | more


def node(name: str = "worker") -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "lastHeartbeatTime": AT}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta(name), "status": {"conditions": [ready]}}


def listed(*objects: Any) -> str:
    return json.dumps({"apiVersion": "v1", "items": objects, "kind": "List", "metadata": {}})


FILES: Layout = {
    "kubevitals-bundle": AT,
    "nodes.json": listed(node()),
    "pods.json": listed(pod()),
    "logs/shop/web-0/app.log": "".join(f"line {number}\n" for number in range(5000)),
}


def tarred(path: Path, files: Layout, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


def zipped(path: Path, files: Layout) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


FORMS: dict[str, Callable[[Path, Layout], Path]] = {
    "folder": lambda path, files: write(files, path / "dump"),
    "tar": lambda path, files: tarred(path / "dump.tar", files, "w"),
    "tar.gz": lambda path, files: tarred(path / "dump.tar.gz", files),
    "tar.xz": lambda path, files: tarred(path / "dump.tar.xz", files, "w:xz"),
    "zip": lambda path, files: zipped(path / "dump.zip", files),
}


def names(opened: Bundle) -> list[str]:
    return [obj.metadata.name for obj in cluster_in(opened).pods]


@pytest.mark.parametrize("form", FORMS)
def test_folders_and_archives_hold_the_same(form: str, tmp_path: Path) -> None:
    path = FORMS[form](tmp_path, FILES)
    opened = bundle(path)
    assert is_bundle(path)
    assert names(opened) == ["web-0"]
    assert (opened.now, opened.context) == (NOW, f"{path.name} (bundle)")
    tail = opened.read.logs.tail("shop", "web-0", "app", 20, 4096, previous=False)
    assert tail == "".join(f"line {number}\n" for number in range(4980, 5000)).encode()
    assert opened.read.logs.tail("shop", "web-0", "app", 2, 12, previous=False) == b"line 4998\nli"


def test_an_archive_that_is_cut_off_concludes_nothing_from_what_is_missing(tmp_path: Path) -> None:
    whole = tarred(tmp_path / "whole.tar.gz", FILES | {"noise.json": json.dumps(os.urandom(60_000).hex())})
    (tmp_path / "cut.tar.gz").write_bytes(whole.read_bytes()[:-20_000])
    opened = bundle(tmp_path / "cut.tar.gz")
    assert names(opened) == ["web-0"]
    assert opened.extent.incomplete == {"shop"}
    assert not opened.extent.is_all
    assert any("the bundle is not whole" in remark for remark in opened.remarks)


def test_a_file_that_is_cut_off_is_used_up_to_there(tmp_path: Path) -> None:
    for name, text in {
        "a.json": listed(pod("a"), pod("b"), pod("c"))[:-150],
        "b.yaml": "items:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: d, namespace: shop}\n- 'apiVersion",
        "nodes.json": listed(node()),
    }.items():
        (tmp_path / name).write_text(text)
    opened = bundle(tmp_path)
    assert names(opened) == ["a", "b", "d"]
    assert opened.extent.incomplete == {"shop"}
    assert sum("only a part of" in remark for remark in opened.remarks) == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_other_encodings_are_read(encoding: str, tmp_path: Path) -> None:
    mark = "\ufeff" if encoding.endswith("le") else ""
    (tmp_path / "pods.json").write_bytes((mark + listed(pod(), node())).encode(encoding))
    assert names(bundle(tmp_path)) == ["web-0"]


def test_links_devices_and_paths_out_of_the_archive_write_and_follow_nothing(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(tarred(path, FILES, "w"), "a") as archive:
        for name, kind, target in (
            ("../../link", tarfile.SYMTYPE, "/etc/passwd"),
            ("/etc/hard", tarfile.LNKTYPE, "nodes.json"),
            ("zero", tarfile.CHRTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
        text = listed(pod("outside")).encode()
        info = tarfile.TarInfo("../../../outside.json")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text))
    opened = bundle(path)
    assert sorted(names(opened)) == ["outside", "web-0"]
    assert list(tmp_path.iterdir()) == [path]
    assert "3 × link or device, which is not followed" in opened.remarks
    folder = write(FILES, tmp_path / "dump")
    (folder / "more.json").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.json")
    assert "2 × link or device, which is not followed" in bundle(folder).remarks


def test_a_bundle_in_a_bundle_is_named_and_not_unpacked(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"pods.json": listed(pod("inner"))})
    folder = write(FILES, tmp_path / "outer")
    inner.rename(folder / "inner.zip")
    opened = bundle(folder)
    assert names(opened) == ["web-0"]
    assert "1 × archive in it: unpack it and give it by itself" in opened.remarks


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
def test_what_an_archive_unpacks_to_is_bounded(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "UNPACKED", 100_000)
    opened = bundle(FORMS[form](tmp_path, FILES | {"zeros.log": "0" * 1_000_000, "z.json": listed(pod("late"))}))
    assert names(opened) == ["web-0"]
    assert "the bundle is not whole: it unpacks to more than 100,000 bytes" in opened.remarks


def test_files_and_objects_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts_module, "SIZE", 2_000_000)
    monkeypatch.setattr(contents_module, "OBJECTS", 3)
    pods = listed(*(pod(f"web-{number}") for number in range(5)))
    opened = bundle(write(FILES | {"big.json": " " * 3_000_000 + "{}", "pods.json": pods}, tmp_path))
    assert names(opened) == ["web-0", "web-1"]
    assert [remark for remark in opened.remarks if "only a part of" in remark] == [
        "only a part of big.json could be read: the file is larger than 2,000,000 bytes",
        "only a part of pods.json could be read: the bundle has more than 3 objects",
    ]
    assert opened.extent.incomplete == {"shop"}


def test_two_clusters_in_one_bundle_are_refused(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        system = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta("kube-system") | {"uid": f"uid-{folder}"}}
        write({f"{folder}/namespaces.json": listed(system), f"{folder}/nodes.json": listed(node())}, tmp_path)
    with pytest.raises(Unusable, match=r"several clusters.*uid-one in one/namespaces.json, uid-two in two/"):
        bundle(tmp_path)


def test_what_holds_no_cluster_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("a text\n")
    (tmp_path / "values.yaml").write_text("replicas: 3\n")
    with pytest.raises(Unusable, match="holds no objects of Kubernetes"):
        bundle(tmp_path)
    (tmp_path / "service.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": meta("a", "b")})
    )
    with pytest.raises(Unusable, match="does not say when it was taken: give --now"):
        bundle(tmp_path)
    assert bundle(tmp_path, now=NOW).now == NOW


def test_secrets_are_never_read(tmp_path: Path) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta("token", "shop"), "data": {"token": "c2VjcmV0"}}
    write(FILES | {"all.json": listed(secret, pod("other")), "secrets.json": listed(pod("in-secrets"))}, tmp_path)
    opened = bundle(tmp_path)
    assert sorted(names(opened)) == ["other", "web-0"]
    assert b"c2VjcmV0" not in repr(vars(opened.read.contents)).encode()


def test_old_versions_are_read_if_their_fields_are_todays(tmp_path: Path) -> None:
    deployment = {"apiVersion": "extensions/v1beta1", "kind": "Deployment", "metadata": meta("web", "shop")}
    autoscaler = {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler", "metadata": meta("web", "shop")}
    opened = bundle(write(FILES | {"old.json": listed(deployment, autoscaler)}, tmp_path))
    assert [obj.metadata.name for obj in cluster_in(opened).deployments] == ["web"]
    assert any("HorizontalPodAutoscaler autoscaling/v1, whose fields differ" in remark for remark in opened.remarks)


def test_kinds_that_checks_declare_are_read_too(tmp_path: Path) -> None:
    version = "gateway.networking.k8s.io/v1"
    gateway = {"apiVersion": version, "kind": "Gateway", "metadata": meta("edge", "shop"), "spec": {}}
    cluster = cluster_in(bundle(write(FILES | {"gateways.json": listed(gateway)}, tmp_path)))
    assert [obj.metadata.name for obj in cluster.objects(GATEWAYS)] == ["edge"]
    with pytest.raises(NotObserved, match="the bundle has no httproutes"):
        cluster.objects(HTTP_ROUTES)
    definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    write({"crds.json": listed(definition | {"metadata": meta("gateways.gateway.networking.k8s.io")})}, tmp_path)
    with pytest.raises(NotApplicable):
        cluster_in(bundle(tmp_path)).objects(HTTP_ROUTES)


def of_pods(cluster: Cluster) -> pb.Pod:
    (only,) = cluster.pods
    return only


def test_redacted_values_are_missing_and_texts_stay(tmp_path: Path) -> None:
    status = {
        "phase": "***HIDDEN***",
        "podIP": "10.0.***HIDDEN***",
        "message": "no ***HIDDEN*** left",
        "reason": "[redacted]",
    }
    opened = bundle(write({"nodes.json": listed(node()), "p.json": listed(pod(status=status))}, tmp_path))
    read = of_pods(cluster_in(opened)).status
    assert (read.phase, read.podIP, read.message, read.reason) == ("", "", "no ***HIDDEN*** left", "")


def test_a_list_of_which_an_object_cannot_be_read_is_not_complete(tmp_path: Path) -> None:
    nameless = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "***HIDDEN***"}}
    opened = bundle(write(FILES | {"nodes.json": listed(node(), nameless)}, tmp_path))
    assert "1 × not read: Node: an object has no name" in opened.remarks
    with pytest.raises(NotObserved, match="the bundle has only some of the nodes"):
        assert cluster_in(opened).nodes


def test_metrics_of_pods_are_no_pods(tmp_path: Path) -> None:
    metrics = {"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics", "metadata": meta("web-0", "shop")}
    place = "yamls/namespaced/shop/metrics.k8s.io/v1beta1/pods.yaml"
    opened = bundle(write({place: listed(metrics), "nodes.json": listed(node())}, tmp_path))
    with pytest.raises(NotObserved, match="the bundle has no pods"):
        assert cluster_in(opened).pods


def test_a_text_is_told_from_a_recording_by_its_beginning(tmp_path: Path) -> None:
    for name, text, expected in (
        ("cluster.dump", listed(pod()), True),
        ("out.log", "apiVersion: v1\n", True),
        ("notes", "hello", False),
        ("absent", "", False),
    ):
        if text:
            (tmp_path / name).write_text(text)
        assert is_bundle(tmp_path / name) is expected


def test_a_list_may_name_its_kind_only_after_its_items(tmp_path: Path) -> None:
    text = f"""apiVersion: v1
items:
- metadata: {{name: web-0, namespace: shop, creationTimestamp: "{AT}"}}
kind: PodList
"""
    opened = bundle(write({"nodes.json": listed(node()), "some.yaml": text}, tmp_path))
    assert names(opened) == ["web-0"]


def test_a_cluster_without_definitions_has_no_gateways(tmp_path: Path) -> None:
    opened = bundle(write(FILES | {"customresourcedefinitions.json": listed()}, tmp_path))
    with pytest.raises(NotApplicable):
        cluster_in(opened).objects(GATEWAYS)
