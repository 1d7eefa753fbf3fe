"""The chat page and its endpoints, over real HTTP."""
