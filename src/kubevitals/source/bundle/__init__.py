"""Dumps of a cluster as a source: folders and archives that kubectl and support tools write.

Objects are known by their apiVersion and kind, wherever they are; the layout only says where logs are and what is
complete. Nothing is written, no link is followed, and Secrets are not read.
"""
