"""A real browser, for what a page looks like: Chromium without a window and without the network."""

import json
import re
import shutil
import subprocess
from urllib.parse import unquote

import pytest

NAMES = ("chromium", "chromium-browser", "chromium-headless-shell", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # the root of a container has none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--no-first-run",
    "--hide-scrollbars",
    "--allow-file-access-from-files",  # the outer page looks into the inner one
    "--virtual-time-budget=2000",
)
FOUND = "found"


def measure(page, script, widths, folder):
    """Return what the function `script` of a window gives, by width, in a page of each of `widths` pixels.

    The page stands in a frame, because a window of Chromium is never narrower than 500 pixels. Skips without a browser.
    """
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if browser is None:
        pytest.skip(f"no browser is installed; looked for {', '.join(NAMES)}")
    (folder / "inner.html").write_text(page)
    frames = "".join(
        f'<iframe id="w{width}" src="inner.html" style="border:0;width:{width}px;height:3000px"></iframe>'
        for width in widths
    )
    collect = f"""
        const measured = {{}};
        for (const frame of document.querySelectorAll("iframe"))
            measured[frame.id.slice(1)] = ({script})(frame.contentWindow);
        document.getElementById("{FOUND}").textContent = encodeURIComponent(JSON.stringify(measured));
    """
    outer = folder / "outer.html"
    outer.write_text(
        f'<!doctype html>{frames}<pre id="{FOUND}"></pre><script>window.onload = () => {{{collect}}}</script>'
    )
    done = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", outer.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    (found,) = re.findall(rf'<pre id="{FOUND}">(.*?)</pre>', done.stdout)
    return {int(width): result for width, result in json.loads(unquote(found)).items()}
