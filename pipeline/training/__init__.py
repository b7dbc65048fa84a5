"""Train a model, keep its best epoch, predict and save."""
