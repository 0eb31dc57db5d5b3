"""Controllers whose pods the API server refuses, each for another reason, and some that are not refused any more."""

from scenarios.harness import Seen, scenario
from scenarios.objects import Object, daemon_set, deployment, job, limit, quota, stateful_set

CPU = {"requests": {"cpu": "50m"}}
ON_PODS = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
START = "scale deployment/web --replicas=1"
"""The pods are wanted only when what refuses them is in effect."""


def in_effect(resource: str, amount: str) -> str:
    """The command that waits for a quota: the API server enforces it once a controller has written its status."""
    path = resource.replace(".", "\\.")
    return f"wait resourcequota/compute --for=jsonpath={{.status.hard.{path}}}={amount}"


def only_in(namespace: str) -> Object:
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


def webhook(name: str, namespace: str) -> Object:
    hook = {
        "name": f"{name}.kubevitals.test",
        "clientConfig": {"service": {"namespace": namespace, "name": "absent"}},
        "rules": ON_PODS,
        "namespaceSelector": only_in(namespace),
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "timeoutSeconds": 1,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [hook],
    }


def admission_policy(name: str, namespace: str, message: str) -> list[Object]:
    """A policy that forbids every pod of a namespace."""
    policy = {
        "matchConstraints": {"resourceRules": ON_PODS},
        "validations": [{"expression": "false", "message": message}],
    }
    binding = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": only_in(namespace)},
    }
    return [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": f"ValidatingAdmissionPolicy{part}",
            "metadata": {"name": name},
            "spec": spec,
        }
        for part, spec in (("", policy), ("Binding", binding))
    ]


def limit_range(name: str, **maximum: str) -> Object:
    spec = {"limits": [{"type": "Container", "max": maximum}]}
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": name}, "spec": spec}


@scenario(
    quota(requests_cpu="100m"),
    deployment("web", 0, resources=CPU),
    then=[in_effect("requests.cpu", "100m"), "scale deployment/web --replicas=3"],
    finds=["pod-creation[quota] Deployment/web"],
)
def test_quota_is_used_up(seen: Seen) -> None:
    """Two of three replicas fit into it."""
    assert seen.says('is refused 1 pod: ResourceQuota "compute" leaves too little: a pod needs 50m of requests.cpu')
    assert seen.says("and 100m of 100m is used")
    assert seen.says("raise requests.cpu to 0.15 in the quota")


@scenario(
    quota(limits_cpu="1"),
    deployment("web", 0),
    then=[in_effect("limits.cpu", "1"), START],
    finds=["pod-creation[quota] Deployment/web"],
)
def test_quota_demands_limits(seen: Seen) -> None:
    """The container has no limit, and no LimitRange gives it one."""
    assert seen.says('ResourceQuota "compute": must specify limits.cpu')


@scenario(
    quota(pods="1"),
    stateful_set("db", 0),
    then=[in_effect("pods", "1"), "scale statefulset/db --replicas=2"],
    finds=["pod-creation[quota] StatefulSet/db"],
)
def test_quota_refuses_a_pod_of_a_stateful_set(seen: Seen) -> None:
    """Only events say so: a StatefulSet has no condition."""
    assert seen.says("a pod needs 1 of pods, and 1 of 1 is used")


@scenario(
    webhook("unreachable", "webhook-cannot-be-called"),
    deployment("web", 0),
    then=[START],
    finds=[
        "api-extensions[webhook] ValidatingWebhookConfiguration/unreachable",
        "pod-creation[webhook] Deployment/web",
    ],
)
def test_webhook_cannot_be_called(seen: Seen) -> None:
    """Its Service does not exist, and its failurePolicy is Fail."""
    assert seen.says('admission webhook "unreachable.kubevitals.test" cannot be called: service "absent" not found')


@scenario(
    deployment("web", 0),
    then=["label namespace pod-security-forbids-the-pod pod-security.kubernetes.io/enforce=restricted", START],
    finds=["pod-creation[policy] Deployment/web"],
)
def test_pod_security_forbids_the_pod(seen: Seen) -> None:
    """The namespace wants restricted pods."""
    assert seen.says('violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false')


@scenario(
    *admission_policy("no-pods", "admission-policy-denies-the-pod", "no pods on Saturdays"),
    deployment("web", 0),
    then=["wait validatingadmissionpolicy/no-pods --for=jsonpath={.status.observedGeneration}=1 --timeout=60s", START],
    finds=["pod-creation[policy] Deployment/web"],
)
def test_admission_policy_denies_the_pod(seen: Seen) -> None:
    """The policy's own words are told."""
    assert seen.says("denied request: no pods on Saturdays")


@scenario(
    deployment("web", serviceAccountName="absent"),
    daemon_set("agent", serviceAccountName="absent"),
    job("report", "true", serviceAccountName="absent"),
    finds=[
        "pod-creation[service-account] Deployment/web",
        "pod-creation[service-account] DaemonSet/agent",
        "pod-creation[service-account] Job/report",
    ],
)
def test_service_account_does_not_exist(seen: Seen) -> None:
    """Each kind of controller says so in its way."""
    assert seen.says('ServiceAccount "absent" does not exist')


@scenario(
    limit_range("small", cpu="100m"),
    deployment("web", 0, resources=limit(cpu="500m")),
    then=[START],
    finds=["pod-creation[limit-range] Deployment/web"],
)
def test_limit_is_above_a_limit_range(seen: Seen) -> None:
    """The LimitRange is named."""
    assert seen.says('LimitRange "small": maximum cpu usage per Container is 100m, but limit is 500m')


@scenario(deployment("web", priorityClassName="absent"), finds=["pod-creation[invalid] Deployment/web"])
def test_priority_class_does_not_exist(seen: Seen) -> None:
    """A Deployment may name it; its pods may not."""
    assert seen.says("no PriorityClass with name absent was found")


@scenario(deployment("web", priority=5), finds=["pod-creation[refused] Deployment/web"])
def test_pods_are_refused_for_another_reason(seen: Seen) -> None:
    """A number as priority is for the API server to set."""
    assert seen.says("the integer value of priority")


@scenario(
    quota(requests_cpu="100m"),
    deployment("web", resources={"requests": {"cpu": "95m"}}),
    finds=["pod-creation[quota-nearly-full] ResourceQuota/compute (warning)"],
)
def test_quota_is_nearly_full(seen: Seen) -> None:
    """The next rollout does not fit."""
    assert seen.says("95m of 100m requests.cpu (95%)")


@scenario(quota(pods="1"), deployment("web"))
def test_quota_is_full_and_nothing_waits(seen: Seen) -> None:
    """It was made for one pod."""
    assert seen.get("ResourceQuota/compute").status.used["pods"].string == "1"


@scenario(
    deployment("web", serviceAccountName="late"),
    then=[
        "wait deployment/web --for=condition=ReplicaFailure --timeout=60s",
        "create serviceaccount late",
        "annotate deployment/web kubevitals.test/again=now",  # the controller does not wait for its next attempt
        "rollout status deployment/web --timeout=100s",
    ],
)
def test_pods_were_refused_and_are_created_since(seen: Seen) -> None:
    """The events of the refusal are still there."""
    assert seen.get("Deployment/web").status.readyReplicas == 1
    assert any(
        event.reason == "FailedCreate" and event.involvedObject.namespace == seen.scenario.name
        for event in seen.cluster.all_events
    )
