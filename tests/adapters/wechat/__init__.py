"""One official account: its wire, its quotas, what it shows and what it turns away."""
