"""Suites that every implementation of a port passes, the doubles included."""
