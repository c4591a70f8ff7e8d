"""As much of Galaxy as `ansible-galaxy collection install NAMESPACE.NAME` asks for: collections from a directory, on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def artifact(collection: Path) -> tuple[str, bytes]:
    """(version, artifact) of an installed collection, with lists of files that say what is there."""
    info = json.loads((collection / "MANIFEST.json").read_text())["collection_info"]
    entries: list[dict[str, Any]] = [{"name": ".", "ftype": "dir", "chksum_type": None, "chksum_sha256": None, "format": 1}]
    contents: dict[str, bytes] = {}
    for path in sorted(collection.rglob("*")):
        name = str(path.relative_to(collection))
        if name in ("MANIFEST.json", "FILES.json") or "__pycache__" in path.parts:
            continue
        sha256 = None
        if path.is_file():
            contents[name] = path.read_bytes()
            sha256 = hashlib.sha256(contents[name]).hexdigest()
        kind, checksum = ("file", "sha256") if sha256 else ("dir", None)
        entries.append({"name": name, "ftype": kind, "chksum_type": checksum, "chksum_sha256": sha256, "format": 1})
    files = json.dumps({"files": entries, "format": 1}).encode()
    of_files = {"name": "FILES.json", "ftype": "file", "chksum_type": "sha256", "chksum_sha256": hashlib.sha256(files).hexdigest(), "format": 1}
    contents |= {
        "FILES.json": files,
        "MANIFEST.json": json.dumps({"collection_info": info, "file_manifest_file": of_files, "format": 1}).encode(),
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for entry in entries[1:]:
            member = tarfile.TarInfo(entry["name"])
            if entry["ftype"] == "dir":
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return info["version"], packed.getvalue()


class _Handler(http.server.BaseHTTPRequestHandler):
    place: Path
    packed: dict[tuple[str, str], tuple[str, bytes]]

    def do_GET(self) -> None:
        words = self.path.partition("?")[0].strip("/").split("/")
        if words == ["api"]:
            return self._answer({"available_versions": {"v3": "v3/"}})
        if words[:3] != ["api", "v3", "collections"] or len(words) < 5 or not (self.place / words[3] / words[4]).is_dir():
            return self.send_error(404)
        namespace, name = words[3:5]
        if (namespace, name) not in self.packed:
            self.packed[namespace, name] = artifact(self.place / namespace / name)
        version, content = self.packed[namespace, name]
        here = f"/api/v3/collections/{namespace}/{name}/versions/{version}/"
        if words[-1].endswith(".tar.gz"):
            return self._send(content, "application/gzip")
        if words[-1] == "versions":
            return self._answer({"meta": {"count": 1}, "data": [{"version": version, "href": here}], "links": {"next": None}})
        file = f"{namespace}-{name}-{version}.tar.gz"
        self._answer({
            "version": version, "href": here, "namespace": {"name": namespace}, "collection": {"name": name}, "name": name,
            "download_url": f"http://{self.headers['Host']}{here}{file}", "metadata": {"dependencies": {}}, "signatures": [],
            "artifact": {"sha256": hashlib.sha256(content).hexdigest(), "filename": file, "size": len(content)},
            "updated_at": "2026-01-01T00:00:00Z",
        })  # fmt: skip

    def _answer(self, body: Any) -> None:
        self._send(json.dumps(body).encode(), "application/json")

    def _send(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_words: Any) -> None:
        pass


@contextlib.contextmanager
def galaxy(collections: Path) -> Iterator[str]:
    """The address of a Galaxy with the collections of a directory `ansible_collections`."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"place": collections, "packed": {}}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
