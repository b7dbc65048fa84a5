"""Make `.venv` and put uv into it, on any Python with or without pip; Debian's own has neither pip nor ensurepip."""

import hashlib
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

UV = "uv==0.13.9"
PIP_URL = "https://files.pythonhosted.org/packages/07/25/ee8c38ae72d66b844ce8eb9711ba905dba21ca1a8a0c960057c41cd23337/pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


def main() -> None:
    """Fetch pip's wheel, checked by its SHA-256, and run it from there to install uv."""
    environment = Path(".venv")
    venv.create(environment)
    with urllib.request.urlopen(PIP_URL, timeout=60) as response:
        wheel = response.read()
    if hashlib.sha256(wheel).hexdigest() != PIP_SHA256:
        sys.exit(f"error: {PIP_URL}: found SHA-256 {hashlib.sha256(wheel).hexdigest()}, expected {PIP_SHA256}")
    path = environment / PIP_URL.rpartition("/")[2]
    path.write_bytes(wheel)
    subprocess.run([environment / "bin" / "python", path / "pip", "install", "--quiet", UV], check=True)
    path.unlink()


if __name__ == "__main__":
    main()
