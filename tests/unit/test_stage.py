"""What a stage says of a module that failed without a word. How stages run and are noted: e2e."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.migrations.rehearsal.plugins.plugin_utils import stage


@pytest.mark.parametrize(
    ("exception", "said"),
    [
        (SimpleNamespace(event=SimpleNamespace(msg="[Errno 28] No space left on device")), "[Errno 28] No space left on device"),
        (
            "Traceback (most recent call last):\n  File x\nOSError: [Errno 28] No space left on device\n",
            "OSError: [Errno 28] No space left on device",
        ),
        (None, "the module ended without a message; run again with -vvv"),
        ("", "the module ended without a message; run again with -vvv"),
    ],
)
def test_an_unforeseen_end_is_told_in_one_line(exception: object, said: str) -> None:
    assert stage._unforeseen(exception) == said
