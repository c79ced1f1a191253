#!/usr/bin/env bash
# Puts real JPEG images and their labels.csv into data/images/. `--help` lists the options.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The usual case, images that are already present, needs no start of Python. It reports an earlier set.
marker="$root/data/images/.source"
if [[ $# -eq 0 && -f "$marker" && $(<"$marker") != "photographs of installed packages" ]]; then
    echo "$root/data/images: the images are already present"
    exit 0
fi

python="$root/.venv/bin/python"
if [[ ! -x "$python" ]]; then
    python=$(command -v python3) || {
        echo "get_images.sh: python3 is missing: apt-get install python3, then make setup" >&2
        exit 2
    }
fi

# The safe path keeps Python from importing a folder `datasets` of the caller's. The caller's folder stays the current
# one, as relative paths in the arguments start there.
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" PYTHONSAFEPATH=1 exec "$python" -m datasets.get_images --root "$root" "$@"
