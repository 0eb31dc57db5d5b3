"""What is true of nodes: which pods belong on them, and how full their disks are.

It must not judge what runs on a node: that is for the other rooms of `facts`.
"""
