"""S3-compatible storage for tests: moto's server, and what a controller needs to write to it."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ansible_package import collections

sys.path.insert(0, str(Path(__file__).parents[1]))
from application_venvs import venv_python  # noqa: E402

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
    environment = {"PYTHONPATH": str(libraries), "ANSIBLE_COLLECTIONS_PATH": str(collections())}
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
