"""The rows of the fault matrix, each a function that makes its own worlds."""
