"""From findings to one result: verdicts, root causes and their symptoms, what changed since an earlier run.

It must not look at the cluster for anything that a check has not found, and must not know how a report is drawn.
"""
