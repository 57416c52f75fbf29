"""How is one record handed to a vendor's MIS client and its answer brought back?

A program of its own, run for one call and ended after it: the vendor's library blocks for a minute and
more, shows windows of its own, and may hang for ever, so whoever started this program kills it when its
time is over. It imports nothing of ours, so any Python of the library's own word size can run it.

    python mis_child.py tcp HOST PORT        the same record over a connection
    python mis_child.py dll PATH FUNCTION    int FUNCTION(char *request, char *answer)

    in:   "Q" | 2 bytes, big endian: how many follow | the request
    out:  "A" | 2 bytes | the answer, 148 bytes
          "E" | 2 bytes | "usage", "request", "link" or "answer"
"""

import ctypes
import socket
import sys

ANSWER_BYTES = 148
_MOST_REQUEST = 1024
_ROOM = 4096  # a library that writes more than it should must not break this process before it has answered
_CONNECT_S = 3.0


class _Failed(Exception):
    """One of the words above."""


def main(arguments: list[str]) -> None:
    """Do one call."""
    try:
        answer = b"A", _call(arguments, _read_request())
    except _Failed as failed:
        answer = b"E", str(failed).encode()
    kind, content = answer
    sys.stdout.buffer.write(kind + len(content).to_bytes(2, "big") + content)
    sys.stdout.buffer.flush()


def _read_request() -> bytes:
    head = sys.stdin.buffer.read(3)
    size = int.from_bytes(head[1:], "big")
    if len(head) != 3 or head[:1] != b"Q" or not 0 < size <= _MOST_REQUEST:
        raise _Failed("request")
    request = sys.stdin.buffer.read(size)
    if len(request) != size or sys.stdin.buffer.read(1):
        raise _Failed("request")
    return request


def _call(arguments: list[str], request: bytes) -> bytes:
    if len(arguments) == 3 and arguments[0] == "tcp" and arguments[2].isdecimal():
        return _call_over_tcp(arguments[1], int(arguments[2]), request)
    if len(arguments) == 3 and arguments[0] == "dll":
        return _call_library(arguments[1], arguments[2], request)
    raise _Failed("usage")


def _call_over_tcp(host: str, port: int, request: bytes) -> bytes:
    try:
        with socket.create_connection((host, port), timeout=_CONNECT_S) as connection:
            connection.settimeout(None)
            connection.sendall(request)
            answer = b""
            while len(answer) < ANSWER_BYTES:
                received = connection.recv(ANSWER_BYTES - len(answer))
                if not received:
                    raise _Failed("answer")
                answer += received
            return answer
    except OSError:
        raise _Failed("link") from None


def _call_library(path: str, name: str, request: bytes) -> bytes:
    try:
        function = getattr(ctypes.CDLL(path), name)
    except (OSError, AttributeError):
        raise _Failed("link") from None
    function.restype = ctypes.c_int
    answer = ctypes.create_string_buffer(_ROOM)
    # What it returns says nothing that the answer's own code does not say better.
    function(ctypes.create_string_buffer(request, _ROOM), answer)
    return answer.raw[:ANSWER_BYTES]


if __name__ == "__main__":
    main(sys.argv[1:])
