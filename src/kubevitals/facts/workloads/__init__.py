"""Workloads: how many of their replicas are available, which pods are missing, and since when.

It must not know what a check says about a workload. What is wrong with a pod is for `facts.pods`.
"""
