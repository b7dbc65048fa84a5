"""Figures as files: what the source articles show."""
