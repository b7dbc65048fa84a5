"""Compile, fit, keep the best epoch, predict."""
