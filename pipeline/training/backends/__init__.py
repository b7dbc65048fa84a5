"""The training loop of each Keras backend."""
