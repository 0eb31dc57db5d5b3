"""What is true of the cluster, whichever check asks: pods, nodes, volumes, networks and DNS.

Facts are computed from the inventory alone. They must not build findings, and must not know how a report shows them.
"""
