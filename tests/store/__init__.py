"""Tests of the room bot/store, beside the contract that all stores share."""
