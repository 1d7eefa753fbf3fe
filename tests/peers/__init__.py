"""Loopback servers that speak the real wire protocols of the platforms and of the model.

Tests run them inside their own loop, benchmarks and fault runs as processes of their own
(`process.py`). They refuse what the real service refuses, go wrong on demand (`faults.py`) and
write down everything they saw (`log.py`).
"""
