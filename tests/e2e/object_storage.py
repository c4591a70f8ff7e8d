"""S3-compatible storage for tests: moto's server, and what a controller needs to write to it."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import fcntl
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))
from application_venvs import INSTALL_TIMEOUT_S, cache_directory, venv_python  # noqa: E402

BUCKET = "rehearsals"
_SERVER = """
import base64, boto3, json, sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
address = "http://%s:%s" % server.get_host_and_port()
keys = {"aws_access_key_id": "rehearsal", "aws_secret_access_key": "of-the-test", "region_name": "us-east-1"}
s3 = boto3.client("s3", endpoint_url=address, **keys)
s3.create_bucket(Bucket=sys.argv[1])
print(address, flush=True)
for line in sys.stdin:
    names = [found["Key"] for found in s3.list_objects_v2(Bucket=sys.argv[1]).get("Contents", [])]
    print(json.dumps({name: base64.b64encode(s3.get_object(Bucket=sys.argv[1], Key=name)["Body"].read()).decode() for name in names}), flush=True)
"""


@dataclasses.dataclass(frozen=True)
class Storage:
    """A server with an empty bucket; `environment` lets Ansible write to it."""

    address: str
    environment: dict[str, str]
    server: subprocess.Popen[str]

    def objects(self) -> dict[str, bytes]:
        """Everything in the bucket by its name."""
        assert self.server.stdin and self.server.stdout
        self.server.stdin.write("\n")
        self.server.stdin.flush()
        return {name: base64.b64decode(body) for name, body in json.loads(self.server.stdout.readline()).items()}


@contextlib.contextmanager
def storage(place: Path) -> Iterator[Storage]:
    """Skips where the server or the collection cannot be installed."""
    python = venv_python(None, "moto[s3]>=5", "flask", "flask-cors", "boto3")
    libraries = place / "libraries"
    libraries.mkdir()
    (packages,) = (Path(python).parents[1] / "lib").glob("python*/site-packages")
    # These alone, so that nothing of Ansible's own is replaced.
    for name in ("boto3", "botocore", "s3transfer", "dateutil", "six.py", "urllib3", "jmespath"):
        (libraries / name).symlink_to(packages / name)
    environment = {"PYTHONPATH": str(libraries), "ANSIBLE_COLLECTIONS_PATH": str(_collection())}
    with subprocess.Popen(
        [python, "-c", _SERVER, BUCKET], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout
            # moto itself has something to say first.
            address = next(line.strip() for line in iter(server.stdout.readline, "") if line.startswith("http"))
            yield Storage(address, environment, server)
        finally:
            server.kill()


def _collection() -> Path:
    """The collection amazon.aws, taken out of the package `ansible`, which carries it."""
    ready = cache_directory() / "amazon-aws"
    ready.parent.mkdir(parents=True, exist_ok=True)
    with open(ready.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (ready / "complete").exists():
            wheels = ready / "wheel"
            argv = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(wheels), "ansible>=12"]
            try:
                pip = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                pytest.skip(f"cannot fetch the package ansible within {INSTALL_TIMEOUT_S} s")
            if pip.returncode != 0:
                pytest.skip(f"cannot fetch the package ansible: {' '.join(pip.stderr.strip().splitlines()[-1:])}")
            (wheel,) = wheels.glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(ready, [name for name in archive.namelist() if name.startswith("ansible_collections/amazon/aws/")])
            wheel.unlink()
            (ready / "complete").touch()
    return ready
