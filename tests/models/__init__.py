"""Models, and models that wrap models."""
