"""What happens to a message, in order of time."""
