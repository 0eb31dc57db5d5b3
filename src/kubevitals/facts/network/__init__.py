"""Pod addresses, CNIs, kube-proxy, routes, connections between pods, and which node is at fault for lost traffic.

It must not know what a check says about the network. Names are for `facts.dns`.
"""
