"""The web page: what its charts, tables and pictures are made of, and how they are put together."""
