"""Telic measured against the limits of its databases and against its peers: `python -m benchmarks`."""
