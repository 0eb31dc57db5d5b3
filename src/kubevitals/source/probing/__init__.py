"""Runs the probe: creates its pods, waits for them, reads their logs and removes them, whatever happens.

With `source/config_map.py` it is all that writes to a cluster. It must not judge what the pods report.
"""
