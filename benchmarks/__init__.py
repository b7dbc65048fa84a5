"""Measure training time, commands and predictions. Only tests import these modules."""
