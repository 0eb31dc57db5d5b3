"""How Kubernetes' objects are read: protobuf and JSON, one object at a time, reduced to the fields that checks read.

It knows bytes and types. It must not know where an answer came from, nor what a check concludes from an object.
"""
