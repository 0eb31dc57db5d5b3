"""Why no node takes a pod: what it asks of nodes, and which one of its constraints keeps it out.

It computes what the scheduler would decide, from the same objects. It must not know what a check says about it.
"""
