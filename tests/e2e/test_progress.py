"""Long stages show how far they are, under ansible-playbook and in `rehearse`: a dump, a restore, a proof and a migration that take their time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playbook import Demo, Played
from shims import application_with, programs_with

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("progress")]

# The controller looks after four seconds, and then every three.
LONG_S = 9
MB = r"[\d,.]+"
AT_THE_END = f'"$REAL" "$@"; code=$?; case "$*" in *--list*) ;; *) sleep {LONG_S};; esac; exit $code'
# The first query that hashes values waits; all else goes through.
BEFORE_HASHES = f"""
while IFS= read -r line; do
  case "$line" in *hashtextextended*) if mkdir {{place}}/hashed 2>/dev/null; then sleep {LONG_S}; fi;; esac
  printf '%s\\n' "$line"
done | "$REAL" "$@"
"""

SLEEP_ONCE = f'os.path.exists("{{flag}}") or (op.execute("SELECT pg_sleep({LONG_S})"), open("{{flag}}", "w").close())'


def slowly(demo: Demo, place: Path) -> Path:
    """An inventory with which four stages take longer than anybody waits without a word."""
    place.mkdir()
    dev = {"pg_restore": AT_THE_END, "psql": BEFORE_HASHES.format(place=place)}
    return demo.inventory(
        place,
        production={"rehearsal_postgres": programs_with(demo, place, "production", {"pg_dump": AT_THE_END})},
        dev={
            "rehearsal_postgres": programs_with(demo, place, "dev", dev),
            "rehearsal_application": application_with(demo, place, SLEEP_ONCE.format(flag=place / "slept")),
            "rehearsal_expectations": None,
        },
    )


# By what is said of it: the host, and the line.
LINES = {
    "dumped": ("production", rf"{MB} of about {MB} MB dumped, {MB} MB/s, about \d+ s left|{MB} MB dumped, {MB} MB/s"),
    "restored": ("rehearsal", rf"{MB} of {MB} MB restored, {MB} MB/s, about \d+ s left"),
    "of tables read": ("rehearsal", rf"{MB} of {MB} MB of tables read.*"),
    "upgraded": ("rehearsal", r"7 of 8 revisions upgraded \(0123456789ab runs\), [\d.]+ revisions/s, about \d+ s left"),
}


def assert_carried_out(played: Played) -> None:
    """Without expectations nothing was declared, and what is dropped weighs."""
    assert played.record is not None and played.record["verdict"] == "NO-GO", played.said[-3000:]
    assert {stage["status"] for stage in played.record["stages"]} == {"ok"}


def test_under_ansible_playbook(demo: Demo, tmp_path: Path) -> None:
    played = demo.play(slowly(demo, tmp_path / "inventory"), tmp_path)
    assert_carried_out(played)
    lines = [line for line in played.stdout.splitlines() if re.match(r"  \w+: ", line)]
    for what, (host, text) in LINES.items():
        assert any(re.fullmatch(f"  {host}: {text}", line) for line in lines), (what, lines)
    assert "rehearsal_progress" not in played.stdout
    assert demo.left(played.report_dir) == []


def test_in_the_command(demo: Demo, tmp_path: Path) -> None:
    """As numbers for a pipeline; what a person sees is made of the same events."""
    played = demo.rehearse(tmp_path, "run", "--json", "-i", str(slowly(demo, tmp_path / "inventory")))
    assert_carried_out(played)
    events = [json.loads(line) for line in played.stdout.splitlines()]
    seen: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        if event["event"] == "progress":
            seen.setdefault(event["what"], []).append(event)
    steps = {"dumped": "backup", "restored": "restore", "of tables read": "restore", "upgraded": "upgrade"}
    for what, (host, text) in LINES.items():
        assert {(event["where"], event["step"]) for event in seen[what]} == {(host, steps[what])}
        assert any(re.fullmatch(text, event["text"]) for event in seen[what]), seen[what]
    assert all(event["seconds_left"] is not None and event["rate"] > 0 for event in seen["restored"])
    # Nothing of one stage is told in the next: each word is over before the next one begins.
    order = [event["what"] for event in events if event["event"] == "progress" and event["what"] in steps]
    assert order == sorted(order, key=list(steps).index)
    assert demo.left(played.report_dir) == []
