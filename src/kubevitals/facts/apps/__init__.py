"""Why an application exits, in its own words: a table of common error messages, and what they name in the cluster.

It reads log lines and looks up what they name: a Service, a port, a node's architecture. It must not know what a check
says about the pod.
"""
