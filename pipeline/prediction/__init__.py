"""Predictions that a user asks for: of test images or of image files."""
