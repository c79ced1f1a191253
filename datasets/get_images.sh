#!/usr/bin/env bash
# Puts real JPEG photographs and their labels.csv into data/images/. `--help` tells the options.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The usual case, images that are there already, is answered without the start of Python.
if [[ $# -eq 0 && -f "$root/data/images/.source" ]]; then
    echo "$root/data/images: the images are there already"
    exit 0
fi

python="$root/.venv/bin/python"
if [[ ! -x "$python" ]]; then
    python=$(command -v python3) || {
        echo "get_images.sh: python3 is missing: apt-get install python3, then make setup" >&2
        exit 2
    }
fi

# The safe path keeps a folder `datasets` of the caller's from being taken for ours. The caller's folder
# stays the current one, since relative paths in the arguments start there.
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONSAFEPATH=1 exec "$python" -m datasets.get_images --root "$root" "$@"
