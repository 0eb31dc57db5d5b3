"""The control plane: its leader Leases, its certificates, and the versions and clocks of its nodes.

It must not know what a check says about the control plane. What runs on nodes is for the other packages of `facts`.
"""
