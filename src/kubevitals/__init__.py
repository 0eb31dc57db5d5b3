"""A pytest-based health suite for Kubernetes clusters."""

from importlib.metadata import version

__version__ = version("kubevitals")
