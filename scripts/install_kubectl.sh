#!/usr/bin/env bash
# Installs kubectl from Debian's package, for the tests of examples/kubernetes/, unless it is installed.
set -euo pipefail
if command -v kubectl > /dev/null; then
    exit 0
fi
root=()
if [ "$(id -u)" != 0 ]; then
    root=(sudo)
fi
"${root[@]}" apt-get update --quiet
"${root[@]}" apt-get install --yes --quiet --no-install-recommends kubernetes-client
