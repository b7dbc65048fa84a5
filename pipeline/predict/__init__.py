"""Predict the class of test images or of image files."""
