"""What applications need: why one exits, in its own words, what a Service selects, and when a CronJob is due.

It reads log lines and looks up what they name: a Service, a port, a node's architecture. It must not know what a check
says.
"""
