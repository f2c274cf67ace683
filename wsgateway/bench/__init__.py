"""Benchmarks: real gateway processes, load from other processes, every message accounted for."""
