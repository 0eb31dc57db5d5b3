"""Makes one result of all findings: verdicts, root causes with their symptoms, changes since an earlier run.

It must not judge objects itself, and must not know how a report shows the result.
"""
