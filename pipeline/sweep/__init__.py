"""Sweeps: many settings of one model, each a DVC experiment, and the best of them by validation accuracy."""
