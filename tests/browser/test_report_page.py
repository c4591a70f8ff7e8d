"""The HTML report in a real Chromium: what a person sees, on a desk and on a phone, by day and by night, with the keyboard and on paper."""

from __future__ import annotations

import base64
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.migrations.rehearsal.plugins.module_utils import reports

pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed")
webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402

sys.path.append(str(Path(__file__).parents[1]))

import report_records  # noqa: E402
from application_venvs import not_fetched  # noqa: E402

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
AXE = "axe-core@4.14.1"
# The first screen of a laptop and of a phone.
SIZES = {"desk": (1280, 800), "phone": (390, 844)}

pytestmark = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium and chromium-driver are not installed")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Records of each verdict as files, in Russian too (`…_ru`); a large one, and one whose names mean harm."""
    directory = tmp_path_factory.mktemp("pages")
    records = {
        "go": report_records.go(), "warnings": warned(report_records.go()), "no_go": report_records.rich(), "failed": report_records.failed(),
        "incomplete": report_records.incomplete(), "large": report_records.large(), "hostile": report_records.hostile(),
    }  # fmt: skip
    made = {}
    for name, record in records.items():
        for language, suffix in (("en", ""), ("ru", "_ru")):
            made[name + suffix] = directory / f"{name}{suffix}.html"
            made[name + suffix].write_text(reports.render(record, "html", language), encoding="utf-8")
    return made


def warned(record: dict[str, Any]) -> dict[str, Any]:
    """GO with warnings: what speaks against the NO-GO, as far as it is no blocker."""
    warnings = [finding for finding in report_records.rich()["findings"] if finding["severity"] != "blocker"]
    assert warnings[0]["severity"] == "warning"
    return {**record, "verdict": "GO with warnings", "findings": warnings}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    quiet = ("headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
             "disable-component-update", "disable-sync", "disable-dev-shm-usage", f"user-data-dir={tmp_path_factory.mktemp('profile')}")  # fmt: skip
    for argument in quiet:
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def show(browser: Any, page: Path, size: str = "desk", dark: bool = False, media: str = "") -> None:
    width, height = SIZES[size]
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
    )
    features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(page.as_uri())


def requested(browser: Any) -> list[str]:
    """Every address that was asked for since the page was opened."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [message["params"]["request"]["url"] for message in messages if message["method"] == "Network.requestWillBeSent"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["go", "warnings", "no_go", "failed", "incomplete", "large", "hostile", "no_go_ru", "warnings_ru", "incomplete_ru"])
def test_the_verdict_is_on_the_first_screen_and_nothing_is_loaded(browser: Any, pages: dict[str, Path], name: str, size: str) -> None:
    show(browser, pages[name], size)
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    assert [url for url in requested(browser) if url != pages[name].as_uri() and not url.startswith("data:")] == []
    width, height = SIZES[size]
    # Where it does not go, the first thing that speaks against it too.
    blocked = name.startswith(("no_go", "failed", "incomplete"))
    assert bool(browser.find_elements(By.CSS_SELECTOR, ".band .reason")) == (blocked or name == "hostile")
    selectors = [".verdict", ".sentence", *([".reason"] if blocked else []), ".numbers li:last-child"]
    places = [browser.find_element(By.CSS_SELECTOR, selector).rect for selector in selectors]
    for place in places[: 1 if name == "hostile" else None]:
        assert place["y"] >= 0 and place["y"] + place["height"] <= height, (name, size, place)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width, "the page itself never scrolls sideways"
    assert browser.execute_script("return scrollY") == 0


def test_the_log_would_tell_a_request_and_an_error(browser: Any, pages: dict[str, Path], tmp_path: Path) -> None:
    """What the test above asks for can be seen at all."""
    spoiled = tmp_path / "spoiled.html"
    text = pages["go"].read_text(encoding="utf-8")
    spoiled.write_text(text.replace("<body>", '<body><img src="http://127.0.0.1:9/x.png">').replace("default-src", "x-src"), encoding="utf-8")
    show(browser, spoiled)
    assert any(url.startswith("http://127.0.0.1:9/") for url in requested(browser)) or browser.get_log("browser")


def test_a_script_in_a_name_does_not_run(browser: Any, pages: dict[str, Path]) -> None:
    show(browser, pages["hostile"])
    assert browser.find_elements(By.TAG_NAME, "img") == []
    assert "onerror=alert(1)" in browser.find_element(By.CSS_SELECTOR, "#findings").text


def rows(browser: Any, part: str) -> list[list[str]]:
    """The visible rows of a part's first table."""
    found: list[list[str]] = browser.execute_script(
        "return Array.from(document.querySelector(arguments[0] + ' tbody').rows).filter(r => getComputedStyle(r).display !== 'none')"
        ".map(r => Array.from(r.cells).map(c => c.textContent))",
        f"#{part}",
    )
    return found


def test_a_revisions_row_is_in_sight_as_a_whole_on_a_desk(browser: Any, pages: dict[str, Path]) -> None:
    show(browser, pages["go"])
    widths = browser.execute_script("const one = document.querySelector('#revisions .scroller'); return [one.scrollWidth, one.clientWidth]")
    assert widths[0] <= widths[1]


@pytest.mark.parametrize("name", ["no_go", "no_go_ru", "large"])
def test_on_a_phone_nothing_has_to_be_scrolled_sideways_but_the_list_of_parts(browser: Any, pages: dict[str, Path], name: str) -> None:
    show(browser, pages[name], "phone")
    browser.execute_script("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    wide = browser.execute_script(
        "return Array.from(document.querySelectorAll('.scroller, pre, .finding, .checklist, svg'))"
        ".filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.outerHTML.slice(0, 200))"
    )
    assert wide == []
    # The list of parts takes one line of the screen, and can be moved with the keyboard.
    assert browser.find_element(By.TAG_NAME, "nav").rect["height"] < 60
    last = browser.find_elements(By.CSS_SELECTOR, "nav a")[-1]
    assert browser.execute_script(
        "arguments[0].focus(); const place = arguments[0].getBoundingClientRect(); return place.right <= innerWidth + 1", last
    )
    # A cell says what it is.
    cells = browser.execute_script(
        "return Array.from(document.querySelector('#revisions tbody tr').cells)"
        ".filter(cell => cell.textContent && getComputedStyle(cell).display === 'block').map(cell => getComputedStyle(cell, '::before').content)"
    )
    assert len(cells) >= 7 and all(said.strip('"') for said in cells)


@pytest.mark.parametrize("size", SIZES)
def test_names_in_the_chart_do_not_run_into_each_other(browser: Any, pages: dict[str, Path], size: str) -> None:
    for name in ("no_go", "go", "large"):
        show(browser, pages[name], size)
        places = browser.execute_script(
            "return Array.from(document.querySelectorAll('.timeline svg')).flatMap(svg => ['.name', '.time'].map(kind => "
            "Array.from(svg.querySelectorAll(kind)).filter(one => getComputedStyle(one).display !== 'none')"
            ".map(one => one.getBoundingClientRect()).map(one => [one.left, one.right])))"
        )
        for row in places:
            assert all(right <= left for (_start, right), (left, _end) in itertools.pairwise(row)), (name, row)


def test_long_tables_fold_and_unfold(browser: Any, pages: dict[str, Path]) -> None:
    show(browser, pages["large"])
    assert len(rows(browser, "revisions")) == 20
    more = browser.find_element(By.CSS_SELECTOR, "#revisions .more")
    assert more.get_attribute("aria-expanded") == "false"
    # With the keyboard: where it stands on the screen moves while parts that were not drawn yet are.
    more.send_keys(Keys.ENTER)
    assert len(rows(browser, "revisions")) == 200
    more.send_keys(Keys.ENTER)
    assert len(rows(browser, "revisions")) == 20


def test_tables_sort_by_number_and_by_name_with_the_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    show(browser, pages["no_go"])
    heads = browser.find_elements(By.CSS_SELECTOR, "#revisions th button")
    time = next(head for head in heads if head.text.startswith("time"))
    column = [head.text for head in heads].index(time.text)

    def figures() -> list[float]:
        found: list[float] = browser.execute_script(
            "return Array.from(document.querySelectorAll('#revisions tbody tr')).map(r => Number(r.cells[arguments[0]].dataset.order))", column
        )
        return found

    before = figures()
    time.send_keys(Keys.ENTER)
    assert figures() == sorted(before, reverse=True) != before
    time.send_keys(Keys.SPACE)
    assert figures() == sorted(before)
    head = time.find_element(By.XPATH, "..")
    assert head.get_attribute("aria-sort") == "ascending"
    name = next(head for head in heads if head.text.startswith("revision"))
    name.click()
    assert [row[1] for row in rows(browser, "revisions")] == sorted(row[1] for row in rows(browser, "revisions"))
    assert head.get_attribute("aria-sort") is None


def test_a_filter_shows_what_has_the_word(browser: Any, pages: dict[str, Path]) -> None:
    show(browser, pages["large"])
    field = browser.find_element(By.CSS_SELECTOR, "#schema input[type=search]")
    field.send_keys("T499.ADDED")
    assert [row[2] for row in rows(browser, "schema")] == ["t499.added"]
    field.send_keys("x")
    assert rows(browser, "schema") == []
    assert browser.find_element(By.CSS_SELECTOR, "#schema [role=status]").text
    field.send_keys(Keys.BACKSPACE * 11)
    assert len(rows(browser, "schema")) == 20


def test_on_paper_nothing_is_folded(browser: Any, pages: dict[str, Path]) -> None:
    show(browser, pages["large"], media="print")
    assert len(rows(browser, "revisions")) == 200
    assert not browser.find_element(By.TAG_NAME, "nav").is_displayed()
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert browser.execute_script("return document.querySelectorAll('details:not([open])').length") == 0


def test_on_paper_every_page_of_a_table_has_its_headings(browser: Any, pages: dict[str, Path], tmp_path: Path) -> None:
    show(browser, pages["large"])
    printed = browser.execute_cdp_cmd("Page.printToPDF", {"printBackground": True, "paperWidth": 8.27, "paperHeight": 11.69})
    texts = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(base64.b64decode(printed["data"]))).pages]
    of_revisions = [text for text in texts if len(re.findall("^Change of number", text, re.MULTILINE)) >= 3]
    assert len(of_revisions) > 5
    assert [number for number, text in enumerate(of_revisions) if not re.search(r"reads\s+wait", text)] == []
    # The chart begins on the page of its heading.
    (page,) = (text for text in texts if re.search(r"^Revisions$", text, re.MULTILINE))
    assert "t000" in page and "a revision runs" in page
    # After printing the headings can be sorted again.
    assert browser.execute_script("return document.querySelectorAll('#revisions th > button').length") == 10


def test_without_its_script_everything_is_there(browser: Any, pages: dict[str, Path]) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        show(browser, pages["large"])
        assert len(browser.find_elements(By.CSS_SELECTOR, "#revisions tbody tr:not([hidden])")) == 200
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_the_timeline_has_a_lane_for_each_table(browser: Any, pages: dict[str, Path]) -> None:
    show(browser, pages["no_go"])
    lanes = [lane.text for lane in browser.find_elements(By.CSS_SELECTOR, ".timeline svg text.table")]
    assert sorted(lanes) == [f"t00{number}" for number in range(9)]
    boxes = browser.find_elements(By.CSS_SELECTOR, ".timeline rect.reads, .timeline rect.writes")
    assert boxes and all(box.rect["width"] > 0 for box in boxes)
    # What keeps reads waiting has another colour than what keeps only writes waiting.
    fills = {box.value_of_css_property("fill") for box in boxes}
    assert len(fills) == 2


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, of the npm registry; `AXE_CORE` names a file that is there already."""
    given = os.environ.get("AXE_CORE")
    if given:
        return Path(given).read_text(encoding="utf-8")
    npm = shutil.which("npm")
    if npm is None:
        not_fetched("npm is not installed: axe-core cannot be had")
    directory = tmp_path_factory.mktemp("axe")
    argv = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(directory), AXE]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        not_fetched("the npm registry does not answer: axe-core cannot be had")
    if done.returncode != 0:
        not_fetched(f"the npm registry gave no axe-core: {done.stderr.strip()[-200:]}")
    return (directory / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "size", "dark"),
    [("go", "desk", False), ("go", "desk", True), ("no_go", "desk", False), ("no_go", "phone", True), ("no_go_ru", "desk", False),
     ("no_go_ru", "phone", False), ("warnings", "desk", False), ("warnings", "phone", True), ("incomplete", "desk", True),
     ("incomplete_ru", "phone", False), ("failed", "desk", False), ("large", "desk", False), ("large", "desk", True)],
)  # fmt: skip
def test_axe_finds_no_serious_violation(browser: Any, pages: dict[str, Path], axe: str, name: str, size: str, dark: bool) -> None:
    show(browser, pages[name], size, dark)
    # The page's policy lets no other script in; the driver's own may.
    browser.execute_script(axe)
    browser.set_script_timeout(120)
    found = browser.execute_async_script(
        "const done = arguments[0]; document.querySelectorAll('details').forEach(one => { one.open = true; });"
        "axe.run(document, {resultTypes: ['violations']}).then(result => done(result.violations), error => done([{id: String(error), nodes: []}]))"
    )
    serious = [(one["id"], one.get("impact"), [node["html"][:120] for node in one["nodes"][:3]]) for one in found]
    assert [entry for entry in serious if entry[1] not in ("minor", "moderate")] == []
