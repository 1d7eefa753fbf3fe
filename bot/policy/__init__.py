"""What is allowed: pure functions from facts to a verdict; nothing here waits or keeps anything."""
