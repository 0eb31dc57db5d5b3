"""The pytest plugin: options, collection, and the way from a check's findings to pytest's reports.

It joins all other rooms, and no other room imports it.
"""
