"""Figures for print: of the data, the curves, the confusion, the predictions."""
