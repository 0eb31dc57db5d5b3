"""The documentation's pages: those that are written, and those that are made of the code.

`manual.pages` makes all of them as Markdown; `manual/hook.py` hands them to the site's builder.
"""
