"""The command ``publish``: write the models, their cards and a page to try one, for use elsewhere."""
