"""How names are resolved: the DNS Service and its pods, lookups, resolv.conf, and CoreDNS' logs and metrics.

It must not know what a check says about DNS.
"""
