#!/usr/bin/env bash
# Installs from Debian's packages what compiles the generated Java client: javac, and the libraries of the client that
# the jar of openapi-generator does not contain.
set -euo pipefail
if command -v javac > /dev/null && [ -e /usr/share/java/httpmime.jar ] && [ -e /usr/share/java/jakarta-annotation-api.jar ]; then
    exit 0
fi
root=()
if [ "$(id -u)" != 0 ]; then
    root=(sudo)
fi
packages=(libhttpmime-java libjakarta-annotation-api-java)
if ! command -v javac > /dev/null; then
    packages+=(default-jdk-headless)
fi
"${root[@]}" apt-get update --quiet
"${root[@]}" apt-get install --yes --quiet --no-install-recommends "${packages[@]}"
