"""Kubernetes' quantities as numbers."""

from collections.abc import Mapping

from kubevitals import schema_pb2 as pb


def amount(quantities: Mapping[str, pb.Quantity], resource: str) -> float:
    """Return how much of a resource is asked for or granted, nothing as 0: bytes, cores or a count."""
    from kubernetes.utils.quantity import parse_quantity

    if resource not in quantities:
        return 0.0
    try:
        return float(parse_quantity(quantities[resource].string))
    except ValueError:
        return 0.0
