"""A Python that has Alembic imported already, for applications that are started three times a case.

`warm_python.py SOCKET serve` waits; `warm_python.py SOCKET -` gives its environment, directory and standard streams to a fork of that process,
which reads the program from standard input like `python -`, and ends with its exit code.
"""

import array
import json
import os
import signal
import socket
import struct
import sys

DEADLINE_S = 120


def serve(path):
    import alembic.command  # noqa: F401
    import psycopg  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        while True:
            connection, _address = listener.accept()
            if os.fork() == 0:
                listener.close()
                _answer(connection)
            connection.close()


def _answer(connection):
    """In a fork: run one program, and say how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    message, descriptors, _flags, _address = socket.recv_fds(connection, 1 << 20, 3)
    place = json.loads(message)
    program = os.fork()
    if program:
        _pid, status = os.waitpid(program, 0)
        connection.sendall(struct.pack("i", os.waitstatus_to_exitcode(status)))
        os._exit(0)
    connection.close()
    signal.alarm(DEADLINE_S)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(place["environment"])
    os.chdir(place["directory"])
    sys.argv = ["-"]
    code = 0
    try:
        exec(compile(sys.stdin.read(), "<stdin>", "exec"), {"__name__": "__main__"})
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def ask(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        place = json.dumps({"environment": dict(os.environ), "directory": os.getcwd()}).encode()
        connection.sendmsg([place], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
        answer = connection.recv(4)
    sys.exit(struct.unpack("i", answer)[0] if answer else 1)


if __name__ == "__main__":
    serve(sys.argv[1]) if sys.argv[2] == "serve" else ask(sys.argv[1])
