"""Address pools: how many pod addresses each CNI has and has given away, by its own account, and who uses them.

Each CNI's account is read where the cluster has one. It must not know what a check says about a pool that is full.
"""
