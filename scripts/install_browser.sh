#!/usr/bin/env bash
# Installs Chromium from Debian's packages, for the tests of the page, unless a browser is installed.
set -euo pipefail
if command -v chromium google-chrome > /dev/null; then
    exit 0
fi
root=()
if [ "$(id -u)" != 0 ]; then
    root=(sudo)
fi
"${root[@]}" apt-get update --quiet
"${root[@]}" apt-get install --yes --quiet --no-install-recommends chromium
