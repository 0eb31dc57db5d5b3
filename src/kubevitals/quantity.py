"""Kubernetes' quantities as numbers."""

from collections.abc import Mapping

from kubevitals import schema_pb2 as pb


def number(text: str) -> float:
    """Return what a quantity's text means, what is none as 0: ``1Gi``, ``250m``."""
    from kubernetes.utils.quantity import parse_quantity

    try:
        return float(parse_quantity(text))
    except ValueError:
        return 0.0


def amount(quantities: Mapping[str, pb.Quantity], resource: str) -> float:
    """Return how much of a resource is asked for or granted, nothing as 0: bytes, cores or a count."""
    return number(quantities[resource].string) if resource in quantities else 0.0
