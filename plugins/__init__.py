"""What Parley can do: one file per subject, written against the public names of `bot`."""
