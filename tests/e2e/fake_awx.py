"""As much of AWX's API as its own modules need: what they make is kept, found again by its fields, and refused where AWX refuses it."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

API = "/api/v2/"
CREDENTIAL_TYPES = ("Machine", "Vault", "Source Control", "Container Registry")
UNIFIED = ("job_templates", "projects", "inventory_sources")
# What AWX fills a notification with before it has ever run a job, to see whether it can be filled in.
STUB = {"job": {"id": 1, "name": "name", "status": "successful", "artifacts": {}}, "url": "https://awx.example.com/#/jobs/1", "job_metadata": "{}"}


@dataclasses.dataclass
class Awx:
    """What is there, by endpoint and id; `associated`: (address of a list, ids in it)."""

    address: str = ""
    things: dict[str, dict[int, dict[str, Any]]] = dataclasses.field(default_factory=dict)
    associated: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    surveys: dict[int, Any] = dataclasses.field(default_factory=dict)
    next_id: int = 1

    def add(self, endpoint: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Make one thing."""
        number, self.next_id = self.next_id, self.next_id + 1
        url = f"{API}{endpoint}/{number}/"
        related = {"survey_spec": f"{url}survey_spec/"}
        made = {"id": number, "type": endpoint.rstrip("s"), "url": url, "related": related, "summary_fields": {}, "scm_revision": "", **fields}
        self.things.setdefault(endpoint, {})[number] = made
        return made

    def named(self, endpoint: str) -> dict[str, dict[str, Any]]:
        """The things of one kind by their names."""
        return {thing["name"]: thing for thing in self.things.get(endpoint, {}).values()}

    def names(self, endpoint: str, thing: dict[str, Any], relation: str) -> list[str]:
        """The names of what is associated with a thing."""
        return [self.things[endpoint][number]["name"] for number in self.associated.get(f"{thing['url']}{relation}/", [])]

    def refused(self, endpoint: str, fields: dict[str, Any]) -> str:
        """Why AWX would answer 400; empty if it would not."""
        messages = fields.get("messages") or {}
        for moment in messages.values() if endpoint == "notification_templates" else ():
            try:
                ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(moment["body"]).render(STUB)
            except TemplateError as error:
                return f"Unable to render message: {error}"
        return ""


class _Handler(http.server.BaseHTTPRequestHandler):
    awx: Awx

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        words = parts.path.removeprefix(API).strip("/").split("/")
        if len(words) == 3 and words[2] == "survey_spec":
            self._answer(200, self.awx.surveys.get(int(words[1]), {}))
        elif len(words) == 3:
            kinds = {number: thing for things in self.awx.things.values() for number, thing in things.items()}
            self._answer_list([kinds[number] for number in self.awx.associated.get(parts.path, [])])
        elif len(words) == 2:
            self._answer(200, self.awx.things[words[0]][int(words[1])])
        else:
            wanted = dict(parse_qsl(parts.query))
            # Whatever can be scheduled is found under one endpoint: their names must differ.
            endpoints = UNIFIED if words[0] == "unified_job_templates" else words[:1]
            found = [thing for endpoint in endpoints for thing in self.awx.things.get(endpoint, {}).values()]
            self._answer_list([one for one in found if all(str(one.get(key)) == value for key, value in wanted.items() if key != "page_size")])

    def do_POST(self) -> None:
        fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or "{}")
        words = self.path.removeprefix(API).strip("/").split("/")
        if len(words) == 3 and words[2] == "survey_spec":
            self.awx.surveys[int(words[1])] = fields
            self._answer(200, {})
        elif len(words) == 3:
            there = self.awx.associated.setdefault(self.path, [])
            (there.remove if fields.get("disassociate") else there.append)(fields["id"])
            self._answer(204, None)
        elif why := self.awx.refused(words[0], fields):
            self._answer(400, {"messages": [why]})
        else:
            self._answer(201, self.awx.add(words[0], fields))

    def do_PATCH(self) -> None:
        fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        endpoint, number = self.path.removeprefix(API).strip("/").split("/")
        self.awx.things[endpoint][int(number)].update(fields)
        self._answer(200, self.awx.things[endpoint][int(number)])

    def _answer_list(self, found: list[Any]) -> None:
        self._answer(200, {"count": len(found), "results": found, "next": None})

    def _answer(self, status: int, body: Any) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        pass


@contextlib.contextmanager
def awx() -> Iterator[Awx]:
    """An AWX with one organization and its own types of credentials, on loopback."""
    found = Awx()
    found.add("organizations", {"name": "Default"})
    for name in CREDENTIAL_TYPES:
        found.add("credential_types", {"name": name})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"awx": found}))
    found.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
