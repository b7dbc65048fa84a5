"""Metrics, intervals, significance tests and label issues, computed from predictions. Imports no Keras."""
