"""Why a PersistentVolumeClaim is not bound, attached or mounted, and which CSI drivers are up.

It must not know what a check says about a volume, nor ask the cluster anything of its own.
"""
