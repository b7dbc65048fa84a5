"""Read raw files as arrays: IDX, CSV, image files."""
