"""Real servers, real databases, faults on purpose, and a separate program that judges the logs."""
