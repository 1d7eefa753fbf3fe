"""The terminal adapter, and the conversation as a person holds it."""
