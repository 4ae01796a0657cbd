"""Servers that are not the bottleneck: fixed answers, from another process."""
