"""Kubernetes quantities as numbers."""

from collections.abc import Mapping
from functools import lru_cache

from kubevitals import schema_pb2 as pb


@lru_cache(4096)
def number(text: str) -> float:
    """Return the value of a quantity such as ``1Gi`` or ``250m``; 0 if the text is not a quantity."""
    from kubernetes.utils.quantity import parse_quantity

    try:
        return float(parse_quantity(text))
    except ValueError:
        return 0.0


def amount(quantities: Mapping[str, pb.Quantity], resource: str) -> float:
    """Return the amount of a resource in bytes, cores or a count; 0 if it is not listed."""
    return number(quantities[resource].string) if resource in quantities else 0.0
