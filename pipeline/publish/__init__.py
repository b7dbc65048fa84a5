"""Write models, their cards and a page to try one, for use elsewhere."""
