"""Tests of the room bot/policy."""
