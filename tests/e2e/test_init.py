"""`rehearse init` writes what passes preflight: from flags and from answers, for native servers and for services of compose files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from playbook import PROGRAMS, Demo
from terminal import Terminal

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("command")]

PREFLIGHT = "playbooks/preflight.yml"


def postgres(demo: Demo, side: str, *names: str) -> list[str]:
    found = demo.postgres(side)
    return [word for name in names for word in (f"--{side}-postgres", f"{name}={found[name]}")]


def work_dirs(demo: Demo) -> list[str]:
    return ["--production-work-dir", str(demo.state.production.work_dir), "--dev-work-dir", str(demo.state.dev.work_dir)]


def test_native_servers_from_flags(demo: Demo, tmp_path: Path) -> None:
    words = ["--database", demo.state.production.database, "--production", "local", "--dev", "local", *work_dirs(demo)]
    words += postgres(demo, "production", "host", "port", "user", "bin_dir") + postgres(demo, "dev", "host", "port", "user", "bin_dir")
    words += ["--app-command", sys.executable, "--app-dir", str(demo.state.application), "--environment", "DATABASE_URL=auto", "--driver", "psycopg"]
    written = demo.rehearse(tmp_path, "init", "inventory/shop", *words)
    assert written.rc == 0, written.said
    played = demo.play(tmp_path / "inventory/shop", tmp_path, playbook=PREFLIGHT)
    assert played.rc == 0, played.said
    assert "ok=" in played.stdout and "failed=0" in played.said
    assert demo.left() == []


# As docker does: `docker compose --file FILE exec -T SERVICE WORDS` runs the words where the service is.
DOCKER = """#!/bin/sh
set -e
[ "$1" = compose ] || exit 64
while [ "$1" != exec ]; do shift; done
[ "$2" = -T ] || exit 65
service=$3; shift 3
case $service in
  db) PATH={bin_dir}:$PATH; export PATH;;
  web) cd {application}; PATH={python}:$PATH; export PATH;;
  *) echo "no such service: $service" >&2; exit 1;;
esac
exec "$@"
"""


def test_services_of_compose_files_from_flags(demo: Demo, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "docker").write_text(
        DOCKER.format(bin_dir=demo.cluster("dev").bin_dir, application=demo.state.application, python=Path(sys.executable).parent)
    )
    (programs / "docker").chmod(0o755)
    words = ["--database", demo.state.production.database, "--production", "local", "--dev", "local", *work_dirs(demo)]
    for side in ("production", "dev"):
        words += [f"--{side}-compose", "/opt/shop/docker-compose.yml", f"--{side}-service", "db", *postgres(demo, side, "host", "port", "user")]
    words += ["--app-service", "web", "--environment", f"DATABASE_URL={demo.copy_url()}"]
    written = demo.rehearse(tmp_path, "init", "inventory", *words)
    assert written.rc == 0, written.said
    path = f"{programs}:{demo.environment()['PATH']}"
    played = demo.play(tmp_path / "inventory", tmp_path, playbook=PREFLIGHT, environment={"PATH": path})
    assert played.rc == 0, played.said
    assert demo.left() == []


def test_answers_at_a_terminal(demo: Demo, tmp_path: Path) -> None:
    """Everything is asked for, with what is usual in brackets, where no flag says anything."""
    terminal = Terminal([str(PROGRAMS / "rehearse"), "init", "inventory"], tmp_path, demo.environment(), columns=160)
    reached = {side: demo.postgres(side) for side in ("production", "dev")}

    def server(side: str) -> list[tuple[str, str]]:
        where = f"--{side}-postgres"
        known = [(f"({where} {key}=): ", str(reached[side][key])) for key in ("user", "host", "port")]
        return [(f"(--{side}-compose, --{side}-container) [native]: ", ""), *known, (f"({where} password=, passfile=) [none]: ", "")]

    try:
        for question, answer in (
            ("(--database): ", demo.state.production.database),
            ("(--production): ", "local"),
            *server("production"),
            ("(--dev) [local]: ", ""),
            *server("dev"),
            ("(--app-command) [.venv/bin/python]: ", sys.executable),
            ("(--app-dir): ", str(demo.state.application)),
            ("(--environment) [DATABASE_URL]: ", ""),
            ("(--driver): ", "psycopg"),
            ("(--vault) [no]: ", ""),
        ):
            terminal.read(until=lambda question=question: terminal.shown().endswith(question.rstrip()), timeout_s=30)
            terminal.type(f"{answer}\n")
        assert terminal.exit_code() == 0, terminal.shown()
    finally:
        terminal.close()
    assert "rehearse run -i inventory" in terminal.shown()
    # The tools are where those of an installation are: on the path.
    path = f"{demo.cluster('dev').bin_dir}:{demo.environment()['PATH']}"
    played = demo.play(tmp_path / "inventory", tmp_path, playbook=PREFLIGHT, environment={"PATH": path})
    assert played.rc == 0, played.said
    assert demo.left() == []
