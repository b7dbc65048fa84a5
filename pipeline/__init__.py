"""Train, compare and explain image classifiers: the library behind the stages."""
