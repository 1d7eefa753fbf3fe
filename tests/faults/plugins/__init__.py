"""Plugins that only fault runs load: some keep a ledger, some are hostile."""
