"""Many clusters at once: reads the findings files of their runs, and shows the fleet as one result.

It looks at no cluster itself and starts no run. A cluster that no current findings file is about is never healthy.
"""
