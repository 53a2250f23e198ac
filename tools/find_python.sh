#!/bin/sh
# Prints the Python that the environment is made with: 3.11 or newer, with venv and pip. Names what is missing.
set -u
problems=""
note() { problems="$problems
  $1"; }

for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
    if ! path=$(command -v "$name"); then
        note "$name: not found"
    elif ! version=$("$path" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); then
        note "$name: does not start"
    elif ! "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        note "$name: is Python $version, too old"
    elif ! "$path" -c 'import venv, ensurepip' 2>/dev/null; then
        note "$name: has no venv module (on Debian and Ubuntu: apt install python3-venv)"
    else
        echo "$path"
        exit 0
    fi
done
echo "Sliceworks needs Python 3.11 or newer with the venv module, and found none:$problems" >&2
exit 1
