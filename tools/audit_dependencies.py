"""Look the locked packages up in the OSV database of known vulnerabilities, by pip-audit.

Where the database cannot be reached, the hashes of the lock stand alone: what is installed is what was locked.
Further arguments go to pip-audit, such as `--ignore-vuln GHSA-xxxx-xxxx-xxxx`.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

UNREACHABLE = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "Could not connect")


def main() -> None:
    """Exit with status 1 for a package without a hash or with a vulnerability."""
    packages = tomllib.loads(Path("uv.lock").read_text(encoding="utf-8"))["package"]
    without_hash = [package["name"] for package in packages if not _is_hashed(package)]
    if without_hash:
        sys.exit(f"error: uv.lock: found no SHA-256 for {', '.join(without_hash)}")
    print(f"uv.lock: each file of {len(packages)} packages has its SHA-256, which uv checks when it installs.")
    with tempfile.TemporaryDirectory() as folder:
        audited = _audit(Path(folder), sys.argv[1:])
    try:
        dependencies = json.loads(audited.stdout)["dependencies"]
    except ValueError:
        if any(word in audited.stderr for word in UNREACHABLE):
            print(f"Skipped: the database cannot be reached ({audited.stderr.strip().splitlines()[-1]})")
            return
        sys.exit(f"error: pip-audit: {audited.stderr}")
    found = [
        f"{package['name']} {package['version']}: {vulnerability['id']}, fixed in "
        f"{', '.join(vulnerability['fix_versions']) or 'no version'}: {vulnerability['description']}"
        for package in dependencies
        for vulnerability in package.get("vulns", [])
    ]
    if found or audited.returncode:
        sys.exit("\n".join(["error: known vulnerabilities:", *(found or [audited.stderr])]))
    print(f"No known vulnerabilities in {len(dependencies)} packages.")


def _is_hashed(package: dict[str, Any]) -> bool:
    """Whether all files of a package have a hash; the project itself has no files."""
    files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    if "virtual" in package["source"]:
        return True
    return bool(files) and all(file.get("hash", "").startswith("sha256:") for file in files)


def _audit(folder: Path, arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run pip-audit on the two environments that the lock allows: with TensorFlow's CPU build and its GPU build."""
    requirements = folder / "requirements.txt"
    with requirements.open("w", encoding="utf-8") as file:
        for device in ("cpu", "gpu"):
            groups = ["--all-groups", "--no-group", "gpu" if device == "cpu" else "cpu"]
            subprocess.run(["uv", "export", "--quiet", "--locked", *groups], stdout=file, check=True)  # noqa: S607
    options = ["--disable-pip", "--require-hashes", "--vulnerability-service", "osv", "--format", "json"]
    command = ["pip-audit", "--requirement", str(requirements), *options, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    main()
