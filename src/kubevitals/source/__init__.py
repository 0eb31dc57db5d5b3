"""Sources answer requests: a live API server with its kubelets and pods, or a recording.

A source does not know which check needs an answer, nor what the answer means for the cluster's health.
"""
