"""The probe as data: what it is to ask, what its pods print, and what they said.

It creates nothing and asks nobody: `kubevitals.source.probing` runs the probe, `kubevitals.inventory.probed` gives
checks its reports.
"""
