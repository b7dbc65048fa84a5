"""The command ``predict``: predict the class of test images or of image files."""
