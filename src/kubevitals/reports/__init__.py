"""Shows one result in many forms: terminal, HTML, Markdown, JSON, metrics, annotations.

A report reads `kubevitals.diagnosis.result`. It must not request anything from the cluster and must not judge anything.
"""
