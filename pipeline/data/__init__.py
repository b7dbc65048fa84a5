"""From files on the net or on this machine to checked arrays: sources, formats, preprocessing, splits."""
