"""Why a PersistentVolumeClaim is not bound, attached or mounted, and which CSI drivers are down.

It must not know what a check says about a volume, nor send requests of its own.
"""
