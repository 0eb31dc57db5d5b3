"""The probe as data: its targets, the output of its pods, and the reports parsed from that.

It creates nothing and sends no request: `kubevitals.source.probing` runs the probe, `kubevitals.inventory.probed` gives
checks its reports.
"""
