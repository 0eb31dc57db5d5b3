"""Where answers come from: a live API server with its kubelets and pods, or a recording of one.

A source answers requests. It must not know which check asks, nor what an answer means for the cluster's health.
"""
