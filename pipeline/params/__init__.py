"""``params.yaml``: the one schema, read strictly, and the errors that name a parameter."""
