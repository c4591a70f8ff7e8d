"""How long the report of a large rehearsal takes to make, and its page to open: `python bench/bench_report.py [REVISIONS [TABLES]]`.

The page is opened by Debian's chromium through selenium, as the tests do; without them only the rendering is timed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))

import report_records
from ansible_collections.migrations.rehearsal.plugins.module_utils import reports

# For 200 revisions over 500 tables.
MOST_S = {"html": 2.0, "opened": 1.0}


def main() -> int:
    passed = []
    revisions, tables = (int(word) for word in (sys.argv[1:3] + ["200", "500"][len(sys.argv[1:3]) :]))
    began = time.perf_counter()
    record = report_records.large(revisions, tables)
    print(f"{revisions} revisions, {tables} tables: judged in {time.perf_counter() - began:.2f} s")
    with tempfile.TemporaryDirectory() as directory:
        for name in reports.FORMATS:
            best = float("inf")
            for _turn in range(3):
                began = time.perf_counter()
                text = reports.render(record, name)
                best = min(best, time.perf_counter() - began)
            print(f"{name:<6} {len(text) / 1e6:6.2f} MB  {best:6.3f} s" + (f"   (at most {MOST_S[name]})" if name in MOST_S else ""))
            passed += [name] if best > MOST_S.get(name, best) else []
            (Path(directory) / reports.FILES[name]).write_text(text, encoding="utf-8")
        if shutil.which("chromium") and shutil.which("chromedriver"):
            seconds = opened(Path(directory) / reports.FILES["html"])
            print(f"the page is open after {seconds:.2f} s   (at most {MOST_S['opened']})")
            passed += ["opened"] if seconds > MOST_S["opened"] else []
    return int(bool(passed))


def opened(page: Path) -> float:
    """Seconds from the navigation to the end of the load event, script included; the best of three."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        times = []
        for _turn in range(3):
            driver.get(page.as_uri())
            times.append(driver.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"))
        return min(times)
    finally:
        driver.quit()


if __name__ == "__main__":
    sys.exit(main())
