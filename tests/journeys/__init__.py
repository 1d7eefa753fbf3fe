"""Dialogues through the whole program, over the real wire."""
