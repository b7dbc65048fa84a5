"""The web page: its data, charts and pictures, and how they are put together."""
