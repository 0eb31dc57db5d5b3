"""How names are resolved: the cluster's DNS Service, lookups, resolv.conf, and what CoreDNS' logs and metrics say.

It must not know what a check says about DNS.
"""
