"""Why the API server refuses pods, by the words of its admission plugins."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple


class RefusedBy(Enum):
    """What refuses a pod."""

    QUOTA = "quota"
    WEBHOOK = "webhook"
    POLICY = "policy"
    SERVICE_ACCOUNT = "service-account"
    LIMIT_RANGE = "limit-range"
    INVALID = "invalid"
    OTHER = "other"


class Refusal(NamedTuple):
    """The API server's refusal of a pod.

    Attributes:
        by: what refuses it.
        words: its message, without what is the same in all refusals.
        named: what the message names, by the groups of `_TEXTS`.
    """

    by: RefusedBy
    words: str
    named: Mapping[str, str]


_TEXTS = tuple(
    (by, re.compile(pattern))
    for by, pattern in (
        (
            RefusedBy.QUOTA,
            r"exceeded quota: (?P<quota>[^\s,]{1,253}), requested: (?P<requested>\S{1,1000}),"
            r" used: (?P<used>\S{1,1000}), limited: (?P<limited>\S{1,1000})",
        ),
        (RefusedBy.QUOTA, r"failed quota: (?P<quota>[^\s:]{1,253}): (?P<missing>must specify .{1,500})"),
        (
            RefusedBy.QUOTA,
            r"status unknown for quota: (?P<quota>[^\s,]{1,253})|insufficient quota to (?:consume|match)",
        ),
        (
            RefusedBy.WEBHOOK,
            r'failed calling webhook "(?P<webhook>[^"]{1,253})"'
            r'(?:.{0,99}? "https://(?P<service>[a-z0-9-]{1,63})\.(?P<namespace>[a-z0-9-]{1,63})\.svc[:/][^"]{0,999}")?',
        ),
        (RefusedBy.POLICY, r'violates PodSecurity "|admission webhook "[^"]{1,253}" denied the request'),
        (RefusedBy.POLICY, r"ValidatingAdmissionPolicy '[^']{1,253}' (?:with binding '[^']{1,253}' )?denied request"),
        (RefusedBy.POLICY, r"unable to validate against any (?:security context constraint|pod security policy)"),
        (
            RefusedBy.SERVICE_ACCOUNT,
            r"error looking up service account \S{1,253}/(?P<account>[^\s/:]{1,253}): .{0,300}not found",
        ),
        (
            RefusedBy.LIMIT_RANGE,
            r"[Mm](?:in|ax)imum (?P<resource>\S{1,253}) usage per (?P<type>Container|Pod) is ",
        ),
        (RefusedBy.LIMIT_RANGE, r"(?P<resource>\S{1,253}) max limit to request ratio per (?P<type>Container|Pod) is "),
        (RefusedBy.INVALID, r' is invalid: |no PriorityClass with name|RuntimeClass "[^"]{1,253}" not found'),
        (RefusedBy.OTHER, ""),
    )
)
"""The beginnings of refusals in kubernetes/kubernetes, most specific first.

- quota: staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go (CheckRequest).
- webhook: staging/src/k8s.io/apiserver/pkg/util/webhook/error.go (ErrCallingWebhook); its reason has the URL.
- policy: staging/src/k8s.io/pod-security-admission/admission/admission.go, and in staging/src/k8s.io/apiserver/pkg/
  admission/plugin webhook/errors/statuserror.go and policy/validating/dispatcher.go; the last line is of OpenShift
  (apiserver-library-go sccadmission/admission.go) and of PodSecurityPolicies, which Kubernetes had until 1.24.
- service-account: plugin/pkg/admission/serviceaccount/admission.go.
- limit-range: plugin/pkg/admission/limitranger/admission.go (minConstraint, maxConstraint and the ratio's).
- invalid: apimachinery/pkg/api/errors/errors.go (NewInvalid), plugin/pkg/admission/priority and runtimeclass.
"""

_PREFIX = re.compile(
    r"(?:\(combined from similar events\): )?"
    r"(?:Error creating: |create (?:Pod|Claim) .{1,600}? in StatefulSet \S{1,253} failed error: )?"
    r"(?:Internal error occurred: )?(?:[a-z]{1,63} \"[^\"]{1,253}\" is forbidden: )?(?:Internal error occurred: )?"
)
"""How events begin: in client-go (tools/record/events_cache.go), and by controllers (kubernetes pkg/controller
controller_utils.go and statefulset/stateful_pod_control.go)."""

_GOING = "because it is being terminated"
"""Pods are refused in a namespace that is being deleted (plugin/pkg/admission/namespace/lifecycle)."""


def refusal(message: str) -> Refusal | None:
    """Return why a pod was refused; nothing if its namespace is being deleted, which is as intended."""
    if _GOING in message:
        return None
    prefix = _PREFIX.match(message)
    words = message[prefix.end() :] if prefix else message
    for by, pattern in _TEXTS:
        if match := pattern.search(message):
            return Refusal(by, words, {name: text for name, text in match.groupdict().items() if text})
    return None
