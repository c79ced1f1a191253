"""The image in the README: the top of the report of simulated nights, one of which made one model slower."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from examples_utils.history.store import open_history
from tests.examples_utils.report.simulated_nights import simulated_runs, variant

IMAGE = Path(__file__).parents[1] / "docs" / "report.png"
_BENCHMARKS = ("resnet50_infer", "mobilenet_v3_small_infer", "efficientnet_b0_infer")
_BATCH_SIZES = (1, 8, 32)
_NIGHTS, _CHANGED_FROM = 60, 58
_TIMES_AS_LONG = {
    variant("resnet50_infer", 8): (_CHANGED_FROM, 1.08),
    variant("efficientnet_b0_infer", 32): (_CHANGED_FROM, 0.95),
}
_WIDTH, _HEIGHT = 1200, 860
_COLOURS = 224  # the page has few, and a palette makes the file less than half as large


def main() -> int:
    """Writes `docs/report.png`. Exit code 2 without a browser."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("error: chromium was not found; install it: apt-get install chromium", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        page = _report(Path(name))
        _capture(page, chromium)
    print(f"written: {IMAGE} ({IMAGE.stat().st_size / 1000:.0f} kB)", file=sys.stderr)
    return 0


def _report(folder: Path) -> Path:
    """The page that the command writes from a history of these nights."""
    url = f"sqlite:///{folder / 'history.db'}"
    with open_history(url, create=True) as history:
        for run in simulated_runs(_NIGHTS, _BENCHMARKS, _BATCH_SIZES, slower=_TIMES_AS_LONG, noise=0.01):
            history.add(run)
    page = folder / "report.html"
    command = [sys.executable, "-m", "examples_utils", "report", "--history", url, "--output", str(page)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return page


def _capture(page: Path, chromium: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(viewport={"width": _WIDTH, "height": _HEIGHT}, color_scheme="light")
        tab.goto(f"file://{page}")
        shot = tab.screenshot()
        browser.close()
    palette = Image.open(io.BytesIO(shot)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    palette.save(IMAGE, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
