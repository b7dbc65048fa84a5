"""Tables and figures over all models."""
