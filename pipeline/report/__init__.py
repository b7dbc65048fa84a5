"""The report over all models: tables, figures and a web page."""
