"""What is wrong with a pod: the ordered table in `faults` gives every broken pod to exactly one fault.

`creating` and `running` hold the table's lines. They must not know what a check says about a fault.
"""
