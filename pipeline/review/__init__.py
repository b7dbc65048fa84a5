"""Review what a branch changes in the results, for a pull request."""
