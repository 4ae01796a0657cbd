"""Measures this client beside its peers: ``python -m benchmarks``. Not part of the package."""
