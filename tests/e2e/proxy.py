"""A network that can be cut: a TCP proxy in front of an sshd."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading


class Proxy:
    """Passes connections on to a port of loopback; `cut` breaks all that are open, as a reset would. New ones are let through."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _address = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target))
            self.accepted += 1
            with self._lock:
                self._open |= {near, far}
            threading.Thread(target=self._pass, args=(near, far), daemon=True).start()

    def _pass(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        with selectors.DefaultSelector() as selector, contextlib.suppress(OSError, ValueError):
            for end in other:
                selector.register(end, selectors.EVENT_READ)
            while True:
                for key, _events in selector.select():
                    chunk = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                    if not chunk:
                        raise ConnectionResetError
                    other[key.fileobj].sendall(chunk)  # type: ignore[index]
        self._close(near, far)

    def _close(self, *ends: socket.socket) -> None:
        for end in ends:
            with self._lock:
                self._open.discard(end)
            end.close()

    def cut(self) -> int:
        """Break what is open; how many connections that were."""
        with self._lock:
            ends = list(self._open)
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)
        return len(ends) // 2

    def close(self) -> None:
        """Take no more connections, and break those that are open."""
        self._listener.close()
        self.cut()
