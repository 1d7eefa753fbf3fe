"""Tests of the room bot/engine."""
