"""The probe: two small pods on each node that tell what the cluster's network looks like from there."""
