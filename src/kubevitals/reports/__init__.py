"""Draws one result in many forms: terminal, HTML, Markdown, JSON, metrics, annotations.

A report reads `kubevitals.diagnosis.result`. It must not look at the cluster and must not decide anything.
"""
