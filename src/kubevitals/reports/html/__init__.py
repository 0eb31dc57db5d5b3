"""The HTML report: pytest-html's file with our page on top.

Its templates escape every string. It must not load anything from elsewhere.
"""
