"""Runs the probe: creates its pods, waits for them, reads their logs and removes them, whatever happens.

It is the only package that writes to a cluster. It must not judge what the pods report.
"""
