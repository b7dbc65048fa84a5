"""Fetch raw files from HTTPS mirrors, Debian packages and local folders."""
