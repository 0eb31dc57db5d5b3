"""The cluster as checks see it: lists fetched once, events, logs, kubelets, the probe's reports.

It fetches from a source, several requests at a time, and says what could not be observed. It must not know any check.
"""
