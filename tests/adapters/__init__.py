"""The adapters, by the payloads that they read and the wire that they speak."""
