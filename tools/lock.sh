#!/bin/sh
# Write both lock files again. Versions already locked are kept; UPGRADE=1 looks for newer ones.
#
# requirements format, because it is the one that holds hashes for every platform and no index
# address; without a header, because that would record the command line.
set -eu
cd "$(dirname "$0")/.."

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    away=$(mktemp -d)
    trap 'rm -rf "$away"' EXIT
    "${PYTHON:-python3}" -m venv "$away"
    "$away/bin/python" -m pip install --quiet --disable-pip-version-check uv
    uv=$away/bin/uv
fi

compile() {
    "$uv" pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
        --no-header --no-emit-index-url ${UPGRADE:+--upgrade} "$@"
}

# The backend is locked as well, so that installing the checkout asks no index for it.
compile --extra build --output-file requirements.lock
compile --extra build --extra dev --constraint requirements.lock --output-file requirements-dev.lock
