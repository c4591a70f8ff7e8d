"""Projects of others, as they are on PyPI, rehearsed by inventory alone: MLflow's tracking store and Prefect's server database.

Each production is made by the project's own migrations to an older revision and given rows; nothing of the projects is changed.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from playbook import Demo, Played, findings

from migration_rehearsal import demo_servers, embedded

sys.path.append(str(Path(__file__).parents[1]))

from application_venvs import venv_python  # noqa: E402

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("real projects")]

NOTHING_ELSE = frozenset(["postgres", "template0", "template1"])


@functools.cache
def has_extension(bin_dir: Path, name: str) -> bool:
    shared = subprocess.run([str(bin_dir / "pg_config"), "--sharedir"], capture_output=True, text=True, check=False).stdout.strip()
    return bool(shared) and (Path(shared) / "extension" / f"{name}.control").exists()


@pytest.fixture(scope="module")
def servers() -> Iterator[Demo]:
    """Two empty servers, production and dev; with contrib extensions where this machine has a PostgreSQL that has them."""
    available = embedded.available_binaries()
    binaries = next((found for found in available if has_extension(found.bin_dir, "pg_trgm")), None) or embedded.find_binaries()
    place = Path(tempfile.mkdtemp(prefix="real-"))
    # The servers run as another user when the tests run as root.
    place.chmod(0o711)
    home = place / "home"
    home.mkdir()
    clusters = []
    try:
        for name in ("production", "dev"):
            clusters.append(embedded.start_cluster(place / name, binaries))
        production, dev = (
            demo_servers.DemoServer(cluster, "postgres", place / f"work-{name}")
            for cluster, name in zip(clusters, ("production", "dev"), strict=True)
        )
        state = demo_servers.DemoState(place, production, dev, Path(sys.executable), place, place)
        shared = Demo(state, home, {"production": NOTHING_ELSE, "dev": NOTHING_ELSE})
        yield shared
        assert shared.left() == []
    finally:
        for cluster in clusters:
            embedded.remove_cluster(cluster)


def url(demo: Demo, side: str, database: str, driver: str) -> str:
    cluster = demo.cluster(side)
    host = quote(str(cluster.socket_directory), safe="")
    return f"postgresql+{driver}://{cluster.user}@/{database}?host={host}&port={cluster.port}"


def package_directory(python: str, package: str) -> Path:
    """Where a package is installed; it is not imported."""
    program = f"import importlib.util; print(importlib.util.find_spec({package!r}).submodule_search_locations[0])"
    return Path(subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.strip())


def run_in(demo: Demo, argv: list[str], **environment: str) -> None:
    """Run something of the application's own; what it says is shown where it fails."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(demo.home), **environment}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=kept, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def inventory(demo: Demo, directory: Path, database: str, application: dict[str, Any], expectations: dict[str, Any] | None = None) -> Path:
    expected = None
    if expectations is not None:
        path = directory / "expectations.yml"
        path.write_text(yaml.safe_dump(expectations))
        expected = str(path)
    return demo.inventory(
        directory / "inventory",
        production={"rehearsal_database": database},
        dev={"rehearsal_application": application, "rehearsal_expectations": expected},
    )


def upgraded(record: dict[str, Any]) -> list[str]:
    return [entry["revision"] for entry in record["revisions"] if entry["run"] == "upgrade"]


# -- MLflow -----------------------------------------------------------------------------------------------------------------

MLFLOW = "mlflow-skinny==3.17.2"
MLFLOW_OLD, MLFLOW_HEAD = "76601a5f987d", "dc11669786a5"
# What `mlflow server` does on an empty database, but only up to a revision.
MLFLOW_CREATE = """
import sys
from alembic import command
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.dbmodels.initial_models import Base
from sqlalchemy import create_engine
url, revision = sys.argv[1:]
Base.metadata.create_all(create_engine(url))
command.upgrade(_get_alembic_config(url), revision)
"""
MLFLOW_ROWS = (
    "INSERT INTO experiments (name, artifact_location, lifecycle_stage)"
    " SELECT 'Опыт ' || n, '/artifacts/' || n, 'active' FROM generate_series(1, 20) n",
    "INSERT INTO experiment_tags (key, value, experiment_id) SELECT 'team', 'team ' || experiment_id % 3, experiment_id FROM experiments",
    "INSERT INTO runs (run_uuid, name, source_type, status, start_time, lifecycle_stage, experiment_id)"
    " SELECT md5('run ' || n), 'run ' || n, 'LOCAL', 'FINISHED', 1700000000000 + n, 'active', 1 + n % 20 FROM generate_series(1, 500) n",
    "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)"
    " SELECT 'loss', 1.0 / step, 1700000000000 + step, run_uuid, step, false FROM runs, generate_series(1, 20) step",
    "INSERT INTO params (key, value, run_uuid) SELECT 'learning_rate', '0.01', run_uuid FROM runs",
)


@pytest.fixture(scope="module")
def mlflow(servers: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    python = venv_python(None, MLFLOW, "sqlalchemy", "alembic", "psycopg2-binary")
    directory = tmp_path_factory.mktemp("mlflow")
    with servers.another_database("production", "mlflow"):
        run_in(servers, [python, "-c", MLFLOW_CREATE, url(servers, "production", "mlflow", "psycopg2"), MLFLOW_OLD])
        servers.execute("production", *MLFLOW_ROWS, database="mlflow")
        before = servers.dump("production", "mlflow")
        application = {
            "command": [python],
            # script_location in its alembic.ini is relative to this.
            "chdir": str(package_directory(python, "mlflow").parent),
            "config": "mlflow/store/db_migrations/alembic.ini",
            "options": {"sqlalchemy.url": url(servers, "dev", "{{ rehearsal_copy_database }}", "psycopg2")},
        }
        yield servers.play(inventory(servers, directory, "mlflow", application), directory / "run")
        assert servers.dump("production", "mlflow") == before


def test_mlflow_goes_from_an_older_revision_to_head(mlflow: Played) -> None:
    record = mlflow.record
    assert record is not None, mlflow.stdout + mlflow.stderr
    assert record["application"]["current"] == [MLFLOW_OLD] and record["application"]["heads"] == [MLFLOW_HEAD]
    assert len(upgraded(record)) == 16 and upgraded(record)[-1] == MLFLOW_HEAD
    assert record["production"]["rows"] > 11_000
    assert record["application"]["options"] == ["sqlalchemy.url"]


def test_what_mlflow_does_not_undo_is_found_and_nothing_else(mlflow: Played) -> None:
    """Its revision 17e22815139b widens a column, and has a downgrade that does nothing."""
    record = mlflow.record
    assert record is not None and mlflow.rc != 0
    assert record["verdict"] == "NO-GO"
    blockers = [finding for finding in record["findings"] if finding["severity"] == "blocker"]
    assert [(finding["code"], finding["object"]) for finding in blockers] == [("downgrade-leaves-trace", "experiment_tags.value")]
    assert "character varying(5000) became text" in blockers[0]["message"]
    assert findings(record, "fk-without-index"), "guardrails.action_endpoint_id has no index"


# -- Prefect ----------------------------------------------------------------------------------------------------------------

PREFECT = "prefect==3.8.8"
PREFECT_OLD, PREFECT_HEAD = "3b86c5ea017a", "d4a7e1c93f52"
PREFECT_ROWS = (
    "INSERT INTO flow (name) SELECT 'Поток ' || n FROM generate_series(1, 10) n",
    "INSERT INTO flow_run (name, flow_id, state_type, state_name)"
    " SELECT 'run ' || n, (SELECT id FROM flow ORDER BY name LIMIT 1 OFFSET n % 10), 'COMPLETED', 'Completed' FROM generate_series(1, 300) n",
    "INSERT INTO concurrency_limit (tag, concurrency_limit) SELECT 'tag ' || n, n FROM generate_series(1, 3) n",
)
# Revision 9e83011d1f2a moves the limits from one table to another.
PREFECT_EXPECTATIONS = {
    "revision": PREFECT_HEAD,
    "changes": {
        "concurrency_limit": {"rows": {"removed": 3}, "reason": "version 1 of the limits ends"},
        "concurrency_limit_v2": {"rows": {"added": 3}, "reason": "the same limits in version 2"},
    },
}
# Its env.py expects to be called in a worker thread of AnyIO, as `prefect server database upgrade` does it.
PREFECT_WRAPPER = "import anyio\nanyio.run(anyio.to_thread.run_sync, run)\n"


@pytest.fixture(scope="module")
def prefect(servers: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    if not has_extension(servers.cluster("production").bin_dir, "pg_trgm"):
        pytest.skip("no PostgreSQL with the extension pg_trgm on this machine (apt-get install postgresql)")
    python = venv_python(None, PREFECT)
    directory = tmp_path_factory.mktemp("prefect")
    with servers.another_database("production", "prefect"):
        variables = {"PREFECT_HOME": str(directory / "home"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        argv = [python, "-m", "prefect", "server", "database", "upgrade", "--yes", "--revision", PREFECT_OLD]
        run_in(servers, argv, **variables, PREFECT_API_DATABASE_CONNECTION_URL=url(servers, "production", "prefect", "asyncpg"))
        servers.execute("production", *PREFECT_ROWS, database="prefect")
        before = servers.dump("production", "prefect")
        application = {
            "command": [python],
            "chdir": str(package_directory(python, "prefect") / "server" / "database"),
            "environment": {
                **variables,
                "PREFECT_API_DATABASE_CONNECTION_URL": url(servers, "dev", "{{ rehearsal_copy_database }}", "asyncpg"),
            },
            "wrapper": PREFECT_WRAPPER,
        }
        yield servers.play(inventory(servers, directory, "prefect", application, PREFECT_EXPECTATIONS), directory / "run")
        assert servers.dump("production", "prefect") == before


def test_prefect_is_a_go(prefect: Played) -> None:
    record = prefect.record
    assert record is not None and prefect.rc == 0, prefect.stdout + prefect.stderr
    assert record["verdict"] in ("GO", "GO with warnings")
    assert record["application"]["current"] == [PREFECT_OLD] and record["application"]["heads"] == [PREFECT_HEAD]
    assert len(upgraded(record)) == 9 and upgraded(record)[-1] == PREFECT_HEAD
    assert record["application"]["transaction_per_migration"] is True


def test_rows_that_prefect_moves_are_counted(prefect: Played) -> None:
    record = prefect.record
    assert record is not None
    moved = {finding["object"]: finding["message"] for finding in findings(record, "rows-changed")}
    assert moved.keys() == {"concurrency_limit", "concurrency_limit_v2"}
    assert "3 rows less" in moved["concurrency_limit"] and "3 rows more" in moved["concurrency_limit_v2"]
