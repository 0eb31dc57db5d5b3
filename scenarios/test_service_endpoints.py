"""Services that lead to no pod, each for another reason, and Services that select nothing on purpose."""

from typing import Any

from scenarios.harness import Seen, scenario
from scenarios.objects import Object, daemon_set, deployment, job, pod, service

NO_MATCH = "service-endpoints[no-match] Service/web"
NONE_READY = "service-endpoints[none-ready] Service/web"
WRONG_PORT = "service-endpoints[wrong-port] Service/web"
HTTP = [{"containerPort": 8080, "name": "http"}]


def web(target: Any = 80, name: str = "web", **fields: Any) -> Object:
    """The Service of the Deployment `web`, with other fields."""
    made = service(name, app="web")
    made["spec"]["ports"] = [{"port": 80, "targetPort": target}]
    made["spec"] |= fields
    return made


@scenario(deployment("web"), service("web", app="wep"), finds=[NO_MATCH])
def test_selector_is_misspelt(seen: Seen) -> None:
    """The pods have app=web."""
    assert seen.says("selects no pod: its selector is app=wep; Deployment web has app=web")


@scenario(deployment("web"), service("web", app="web", tier="front"), finds=[NO_MATCH])
def test_pods_lack_a_label_of_the_selector(seen: Seen) -> None:
    """The template was not given the second label."""
    assert seen.says("Deployment web has no label tier")


@scenario(pod("app"), service("web"), finds=[f"{NO_MATCH} (warning)"])
def test_service_is_a_leftover(seen: Seen) -> None:
    """Its workload was deleted."""
    assert seen.says("no workload has these labels")


@scenario(deployment("web", sh="exit 3"), service("web"), finds=["startup-error[app-exit] Pod/web-*", NONE_READY])
def test_no_pod_of_a_service_is_ready(seen: Seen) -> None:
    """Its only pod crashes."""
    assert seen.says("none of the pods that it selects is ready (1 pod)")


@scenario(deployment("web", ports=HTTP), web("htpp"), finds=[WRONG_PORT])
def test_target_port_is_misspelt(seen: Seen) -> None:
    """The container names its port http."""
    assert seen.says('targetPort htpp is not a port of its pods (did you mean "http"?): they declare 8080 (http)')


@scenario(deployment("web", ports=HTTP), web(80), finds=[f"{WRONG_PORT} (warning)"])
def test_target_port_is_not_declared(seen: Seen) -> None:
    """The container declares another port than the Service's."""
    assert seen.says("targetPort 80 is not a port of its pods: they declare 8080 (http)")


@scenario(deployment("web"), web(9999))
def test_containers_declare_no_port(seen: Seen) -> None:
    """Whether something listens cannot be told by the objects."""
    assert not seen.get("Deployment/web").spec.template.spec.containers[0].ports


@scenario(deployment("web", 0), service("web"), deployment("api", 0), service("api-admin", app="aip"))
def test_workload_is_scaled_to_zero(seen: Seen) -> None:
    """Nothing is expected of its Services, nor of one whose selector is misspelt."""
    assert seen.get("Deployment/web").spec.replicas == seen.get("Deployment/api").spec.replicas == 0


@scenario(deployment("web", ports=HTTP), web("http", type="ExternalName", externalName="example.com"))
def test_service_is_an_external_name(seen: Seen) -> None:
    """Nothing selects pods, whatever its selector says."""
    assert seen.get("Service/web").spec.type == "ExternalName"


@scenario(pod("app"), web(clusterIP="None"))
def test_headless_service_selects_nothing(seen: Seen) -> None:
    """Charts have such Services for optional components."""
    assert seen.get("Service/web").spec.clusterIP == "None"


@scenario(daemon_set("web", nodeSelector={"disk": "none"}), service("web"))
def test_daemon_set_is_for_no_node(seen: Seen) -> None:
    """No node has the label yet."""
    assert not seen.get("DaemonSet/web").status.desiredNumberScheduled


@scenario(job("report", "true"), service("report", 80, **{"batch.kubernetes.io/job-name": "report"}))
def test_service_of_a_finished_job(seen: Seen) -> None:
    """Its pods are there only while it runs."""
    assert seen.get("Job/report").status.succeeded
