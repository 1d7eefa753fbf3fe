"""Who we talk to: one package for each platform, written against the public names of `bot`."""
