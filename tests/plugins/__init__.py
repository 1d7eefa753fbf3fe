"""Tests of the room plugins."""
