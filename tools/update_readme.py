"""Put the report's table into the README, between its markers."""

import re
from pathlib import Path


def main() -> None:
    """Rewrite ``README.md``."""
    readme = Path("README.md")
    results = Path("reports/results.md").read_text(encoding="utf-8")
    section = re.compile(r"(<!-- results: .*? -->\n).*?(<!-- end of results -->)", re.DOTALL)
    text = section.sub(lambda found: f"{found[1]}\n{results}\n{found[2]}", readme.read_text(encoding="utf-8"))
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
