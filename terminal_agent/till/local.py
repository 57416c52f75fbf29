"""Is there an agent at this address of the host, and what does it say?"""

import socket
from typing import Any

import requests

_WITHIN_S = 3.0


def ask_agent(host: str, port: int, path: str) -> dict[str, Any] | None:
    """Return what a running agent answers, or None when none does."""
    try:
        answer = requests.get(f"http://{host}:{port}{path}", timeout=_WITHIN_S)
        found = answer.json()
    except (requests.RequestException, ValueError):
        return None
    return found if answer.status_code == 200 and isinstance(found, dict) else None


def port_problem(host: str, port: int) -> str | None:
    """Return why the till API cannot listen here, or None when it can."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as wrong:
            return f"{host}:{port} cannot be used ({wrong.strerror}). Set `listen` to another port"
    return None
