"""Hide JAX from commands that tests run under TensorFlow, which imports it in vain; readers need not have it."""

import os
import sys
from importlib.abc import MetaPathFinder


class Hide(MetaPathFinder):
    """Finds no JAX."""

    def find_spec(self, fullname: str, *_: object) -> None:
        """Refuse the name alone."""
        if fullname == "jax":
            raise ModuleNotFoundError(fullname, name=fullname)


if os.environ.get("KERAS_BACKEND") != "jax":
    sys.meta_path.insert(0, Hide())
