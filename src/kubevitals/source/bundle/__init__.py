"""Dumps of a cluster as a source: the folders and archives that kubectl and support tools write.

It knows objects by their apiVersion and kind; the layout only says where logs are and what is complete. It must not
write anything, follow a link, or read a Secret.
"""
