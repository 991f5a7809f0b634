"""Looks for known vulnerabilities in the images' requirements, by pip-audit: `python -m scripts.supply.audit`.

Fails if one is known. Says so and succeeds if the registry does not answer. Needs pip-audit, which `make supply`
installs.
"""

import json
import subprocess
import sys
from typing import Any

from scripts.supply.lock import FOLDER

FILES = ("gpu.txt", "build.txt")
"""`gpu.txt` has all packages of `cpu.txt`."""


def main() -> None:
    failed = False
    for name in FILES:
        command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
        ended = subprocess.run(
            [*command, "--format", "json", "-r", str(FOLDER / name)], check=False, capture_output=True, text=True
        )
        lines, found = report(name, ended.stdout, ended.stderr)
        print("\n".join(lines), flush=True)
        failed = failed or found
    raise SystemExit(failed)


def report(name: str, output: str, errors: str) -> tuple[list[str], bool]:
    """Lines for people about the JSON that pip-audit wrote, and whether a vulnerability is known."""
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = (errors.strip().splitlines() or ["no reason was given"])[-1]
        return [f"audit: {name}: skipped, because the registry does not answer: {reason[:200]}"], False
    known = [each for each in packages if "vulns" in each]
    if not known:
        return [f"audit: {name}: skipped, because the registry knows no vulnerabilities of any package"], False
    found = [
        f"audit: {name}: {each['name']} {each['version']} has {vulnerability['id']}, "
        f"fixed in {', '.join(vulnerability['fix_versions']) or 'no version'}"
        for each in known
        for vulnerability in each["vulns"]
    ]
    unknown = len(packages) - len(known)
    return [f"audit: {name}: {len(known)} packages were audited, {unknown} are not known", *found], bool(found)


if __name__ == "__main__":
    main()
