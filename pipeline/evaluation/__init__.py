"""Scores, intervals and confusion, counted from predictions; imports no Keras."""
