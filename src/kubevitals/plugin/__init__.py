"""The pytest plugin: options, collection, and pytest's hooks, which judge and report findings.

It joins all other packages, and no other package imports it.
"""
