"""From files on the net to validated arrays: sources, formats, normalization, partition."""
