"""The HTML report, which is part of pytest-html's file.

Its templates escape every text. The page must not load anything.
"""
