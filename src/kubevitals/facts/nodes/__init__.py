"""Facts about nodes: which are judged, which pods belong on them, and how full their disks are.

What runs on a node is judged by the other packages of `facts`.
"""
