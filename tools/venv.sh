#!/bin/sh
# Make or refresh .venv from a hashed lock and install this checkout into it; do nothing when that
# has been done. Usage: tools/venv.sh run|dev
#
# The stamp holds what the environment was made from, so that a changed lock, a changed Python
# requirement or a checkout that was moved (scripts in .venv hold absolute paths) is noticed, and a
# second start costs milliseconds and no network.
set -eu
cd "$(dirname "$0")/.."

kind=${1:-run}
case $kind in
    run) lock=requirements.lock ;;
    dev) lock=requirements-dev.lock ;;
    *) echo "usage: tools/venv.sh run|dev" >&2; exit 2 ;;
esac
python=.venv/bin/python

say() { echo "parley: $*" >&2; }

stamp() { echo "$PWD $(cksum < "$1") $(cksum < pyproject.toml)"; }

done_for() { [ -f ".venv/.parley-$1" ] && [ "$(cat ".venv/.parley-$1")" = "$(stamp "$2")" ]; }

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

# The first Python that can be used as it is; without uv it must be able to make an environment.
find_python() {
    for candidate in ${PYTHON:-} python3.13 python3.12 python3.11 python3 python; do
        recent "$candidate" || continue
        : "${fallback:=$candidate}"
        if [ -n "$uv" ] || "$candidate" -c 'import ensurepip, venv' >/dev/null 2>&1; then
            found=$candidate
            return
        fi
    done
    if [ -z "$fallback" ]; then
        say "no Python 3.11 or newer was found; install one, or name it: make run PYTHON=/path/to/python"
        exit 1
    fi
    version=$("$fallback" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    say "$fallback cannot make environments (ensurepip is missing). Install it, then run this again:"
    echo "    sudo apt install python$version-venv" >&2
    exit 1
}

with_uv() {
    "$uv" venv --quiet --clear --no-python-downloads --python "$found" .venv &&
        "$uv" pip install --quiet --python "$python" --require-hashes -r "$lock"
}

with_pip() {
    rm -rf .venv
    "$found" -m venv .venv
    pip_install --require-hashes -r "$lock"
}

pip_install() { "$python" -m pip install --quiet --disable-pip-version-check --no-input "$@"; }

# Packages are added to a working environment of this very place; anything else is made anew.
usable() { [ -f .venv/.parley-path ] && [ "$(cat .venv/.parley-path)" = "$PWD" ] && recent "$python"; }

install_lock() {
    if usable && "$python" -m pip --version >/dev/null 2>&1; then
        say "installing $lock into .venv …"
        pip_install --require-hashes -r "$lock"
        return
    fi
    if usable && [ -n "$uv" ]; then
        say "installing $lock into .venv …"
        "$uv" pip install --quiet --python "$python" --require-hashes -r "$lock"
        return
    fi
    find_python
    say "making .venv with $found and $lock (the first time takes up to a minute) …"
    # pip knows indexes from its own configuration that uv does not read.
    if [ -n "$uv" ] && ! with_uv; then
        say "uv could not do it; trying pip"
        uv=
        find_python
    fi
    [ -n "$uv" ] || with_pip
    echo "$PWD" > .venv/.parley-path
}

# hatchling comes from the lock, so this needs no index. Without pip in the environment, uv does it.
install_checkout() {
    if "$python" -m pip --version >/dev/null 2>&1; then
        pip_install --no-deps --no-build-isolation --no-index -e .
    else
        "$uv" pip install --quiet --offline --python "$python" --no-deps --no-build-isolation -e .
    fi
}

# The development lock holds everything of the other one.
done_for dev requirements-dev.lock && exit 0
[ "$kind" = run ] && done_for run requirements.lock && exit 0

fallback=
found=
uv=$(command -v uv || true)
rm -f .venv/.parley-run .venv/.parley-dev
install_lock
install_checkout
stamp "$lock" > ".venv/.parley-$kind"
