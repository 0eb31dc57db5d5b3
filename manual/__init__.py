"""The pages of the documentation: those written by hand, and those generated from the code.

`manual.pages` returns all of them as Markdown. `manual/hook.py` passes them to ProperDocs, which builds the site.
"""
