"""The chat page in a real Chromium."""
