"""Where raw files come from: HTTPS mirrors, Debian packages, local folders."""
