"""Carrying one call over the network."""
