"""How raw files become arrays: IDX, CSV, image files."""
