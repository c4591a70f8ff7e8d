"""Make the pictures of the documents anew: `make screenshots`. The demonstration is rehearsed on a terminal, and its report opened in Chromium.

A NO-GO is the one of the tests: the demonstration has none.
"""

from __future__ import annotations

import base64
import html
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path += [str(TESTS), str(TESTS / "e2e")]

import report_records  # noqa: E402
from ansible_collections.migrations.rehearsal.plugins.module_utils import reports  # noqa: E402
from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from terminal import Terminal  # noqa: E402

IMAGES = TESTS.parent / "docs" / "images"
COLUMNS, LINES = 118, 46
DESK, PHONE = 1280, 390
# The colours of a terminal, by the names that pyte has for them.
COLOURS = {"default": "#d8dee9", "green": "#7ec98f", "brown": "#e3b341", "yellow": "#e3b341", "red": "#f47067", "cyan": "#76c7c0", "blue": "#6cb6ff",
           "magenta": "#c79bf2", "white": "#ffffff", "black": "#1c2128"}  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        browser = _browser(Path(place))
        try:
            demo = _demonstration(browser, Path(place))
            _picture(browser, demo, "report.png", DESK, height=1000)
            _picture(browser, demo, "report-revisions.png", DESK, part="#revisions", height=900)
            _picture(browser, demo, "report-plan.png", DESK, part="#plan", height=700)
            phone = Path(place) / "no-go.html"
            phone.write_text(reports.render(report_records.rich(), "html"), encoding="utf-8")
            _picture(browser, phone, "report-phone.png", PHONE, height=844, dark=True)
            _picture(browser, phone, "report-phone-revisions.png", PHONE, part="#revisions", height=844)
        finally:
            browser.quit()


def _browser(place: Path) -> Any:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    quiet = ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking", "disable-dev-shm-usage", "hide-scrollbars",
             f"user-data-dir={place / 'profile'}")  # fmt: skip
    for argument in quiet:
        options.add_argument(f"--{argument}")
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def _demonstration(browser: Any, place: Path) -> Path:
    """Rehearse it on a terminal, of which a picture is taken at the end. Returns its report."""
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "COLUMNS", "LINES", "CI")}
    terminal = Terminal([str(Path(sys.executable).parent / "rehearse"), "demo"], place / "demo", environment, COLUMNS, LINES)
    try:
        assert terminal.exit_code() == 0, terminal.everything()
        _terminal(browser, place, terminal, "terminal.png", list(terminal.screen.history.top))
    finally:
        terminal.close()
    # Where this machine has things is nobody's business.
    report = place / "demo" / "rehearsals" / "latest" / "report.html"
    page = place / "demo.html"
    page.write_text(_of_no_machine(report.read_text(encoding="utf-8"), place), encoding="utf-8")
    return page


def _of_no_machine(text: str, place: Path) -> str:
    text = re.sub(r"/[^\s<>]*/pginstall\d+/bin/", "", text.replace(f"{place / 'demo'}/", ""))
    return re.sub(r"/[^\s<>]*/rehearsal-pg-\w+/socket", "/run/postgresql", text.replace(f"{Path(sys.executable).parent}/", ".venv/bin/"))


def _terminal(browser: Any, place: Path, terminal: Terminal, name: str, above: list[Any]) -> None:
    lines = [_line(line) for line in [*above, *(terminal.screen.buffer[number] for number in range(terminal.screen.lines))]]
    while lines and not lines[-1].strip():
        lines.pop()
    page = place / "terminal.html"
    style = f"margin: 0; padding: 18px 22px; background: #0d1117; color: {COLOURS['default']}; font: 14px/1.35 'DejaVu Sans Mono', monospace"
    page.write_text(
        f'<meta charset="utf-8"><pre style="{style}; width: max-content">' + _of_no_machine("\n".join(lines), place) + "</pre>", encoding="utf-8"
    )
    _picture(browser, page, name, DESK, part="pre", margin=0)


def _line(line: Any) -> str:
    """A line of the screen as HTML, every run of one look in a span."""
    parts: list[tuple[tuple[str, bool, bool], str]] = []
    for column in range(COLUMNS):
        cell = line[column]
        look = (cell.fg, cell.bold, cell.reverse)
        if parts and parts[-1][0] == look:
            parts[-1] = (look, parts[-1][1] + cell.data)
        else:
            parts.append((look, cell.data))
    return "".join(_run(*part) for part in parts).rstrip()


def _run(look: tuple[str, bool, bool], text: str) -> str:
    named, bold, reverse = look
    colour = COLOURS.get(named.removeprefix("bright"), f"#{named}" if len(named) == 6 else COLOURS["default"])
    if (named, bold, reverse) == ("default", False, False):
        return html.escape(text)
    style = f"background: {colour}; color: #0d1117" if reverse else f"color: {colour}"
    return f'<span style="{style}{"; font-weight: 700" if bold else ""}">{html.escape(text)}</span>'


def _picture(
    browser: Any, page: Path, name: str, width: int, part: str | None = None, height: int | None = None, dark: bool = False, margin: int = 12
) -> None:
    """Of the page's top, or of a part of it; as high as it is, but no higher than `height`."""
    metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(page.resolve().as_uri())
    box = browser.execute_script(
        # Parts that were not drawn yet would move the others.
        "document.querySelectorAll('section').forEach(one => { one.style.contentVisibility = 'visible'; }); document.body.style.margin = 0;"
        "const one = document.querySelector(arguments[0]); one.scrollIntoView(); const box = one.getBoundingClientRect();"
        "return {x: box.left + scrollX, y: box.top + scrollY, width: box.width, height: box.height}",
        part or "body",
    )
    top, high = max(box["y"] - margin, 0), box["height"] + 2 * margin
    clip = {"x": 0, "y": top, "width": width if part != "pre" else box["width"], "height": min(high, height or high), "scale": 1}
    shot = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": True, "clip": clip})
    (IMAGES / name).write_bytes(base64.b64decode(shot["data"]))
    print(f"docs/images/{name}")


if __name__ == "__main__":
    main()
