"""Does `terminal-agent certify` leave alone real money, and the links and journal of an agent?"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from certify_shell import certify, here, served
from driver_bench import PROFILE_FILES
from links_to_certify import NUMBER

from terminal_agent.journal.hold import held
from terminal_agent.journal.open import JournalDown, open_journal


def test_real_money_is_moved_only_when_told_so(tmp_path):
    profile = PROFILE_FILES["allinpay"].read_text()
    (tmp_path / "terminal.yaml").write_text(profile)
    config = tmp_path / "agent.yaml"
    config.write_text(
        'centre: "https://centre.example"\ndata: data\nlisten: "127.0.0.1:1"\nterminals:\n  "12345678":\n'
        f'    driver: serial_ecr\n    port: "{tmp_path}/nobody"\n    profile: terminal.yaml\n'
        'tills:\n  "01": "12345678"\n'
    )
    where = ("--link", "12345678", "--only", "is lost")
    assert "real payments of 101 fen" in here(config, *where, code=6).stderr
    said = here(config, *where, "--yes", "--control", "127.0.0.1:41327", code=6).stderr
    assert "without `training: true` none can be named" in said
    assert here(config, *where, "--list").stdout


class Agent(BaseHTTPRequestHandler):
    """What a running agent answers."""

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        said = {
            "online": True,
            "outbox": {"depth": 0, "oldest_s": 0, "quarantined": 0},
            "parked": 0,
            "returning": 0,
            "links_missing": [],
            "terminals": [],
        }
        content = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def beside_an_agent(serial, folder, listen="127.0.0.1:1"):
    """Write a configuration with these links, and data that may be an agent's."""
    config = folder / "agent.yaml"
    text = serial.config.read_text().replace('"127.0.0.1:1"\ntraining', f'"{listen}"\ntraining')
    config.write_text(text.replace("profile: ", f"profile: {serial.config.parent}/"))
    return config


def test_behind_a_shops_proxy_this_host_is_still_asked_itself(serial, tmp_path, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    where = ("--link", NUMBER, "--control", serial.control, "--only", "paying: nothing goes wrong")
    here(serial.config, *where)
    with served(ThreadingHTTPServer(("127.0.0.1", 0), Agent)) as address:
        said = here(beside_an_agent(serial, tmp_path, address), *where, code=6).stderr
    assert "The agent runs, and the link is its own" in said


def test_the_links_of_an_agent_that_holds_its_journal_are_left_alone_though_it_does_not_answer(
    serial, tmp_path
):
    config = beside_an_agent(serial, tmp_path)
    before = requests.get(f"{serial.control}/books", timeout=5).json()
    agents = open_journal(tmp_path / "data" / "journal.db")
    where = ("--link", NUMBER, "--control", serial.control, "--only", "paying: nothing goes wrong")
    said = certify(config, *where, code=6).stderr
    assert f"{tmp_path / 'data' / 'journal.db'} cannot be held: database is locked. Stop the agent" in said
    assert requests.get(f"{serial.control}/books", timeout=5).json() == before
    agents.close()
    journal = (tmp_path / "data" / "journal.db").read_bytes()
    assert certify(config, *where).stdout.startswith("ok   paying")
    assert (tmp_path / "data" / "journal.db").read_bytes() == journal


def test_no_agent_starts_while_a_link_is_tried(tmp_path):
    journal = tmp_path / "data" / "journal.db"
    open_journal(journal).close()
    with held(journal), pytest.raises(JournalDown, match="database is locked"):
        open_journal(journal)
    open_journal(journal).close()


def test_where_there_is_no_journal_none_is_made_to_be_held(tmp_path):
    with held(tmp_path / "journal.db"):
        assert not [*tmp_path.iterdir()]


def test_the_links_of_an_agent_that_runs_are_left_alone(serial, tmp_path):
    with served(ThreadingHTTPServer(("127.0.0.1", 0), Agent)) as address:
        config = beside_an_agent(serial, tmp_path, address)
        said = here(config, "--link", NUMBER, "--control", serial.control, code=6).stderr
    assert "The agent runs, and the link is its own" in said
