"""How we ask a model: each file is a Model, or a Model that wraps a Model."""
