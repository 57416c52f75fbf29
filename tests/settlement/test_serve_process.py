"""Does the service start, log, keep what is personal to itself, and stop as it should?"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time

import msgspec
import pytest
import reference_data as reference
import requests
from books import copy_template
from centre import CentreClient
from fake_device import promised

from subsidy.wire import v1

PERSON = 11


class Service:
    """A running `settlement serve` in a folder."""

    def __init__(self, folder):
        self.folder = folder
        copy_template(folder)
        self.log = folder / "log.jsonl"
        self.session = requests.Session()
        self.token = (folder / "token").read_text()
        with self.log.open("wb") as stderr:
            self.process = subprocess.Popen(
                self.command("serve", "--json"), stdout=subprocess.PIPE, stderr=stderr
            )
        started = json.loads(self.process.stdout.readline())
        self.address = started["listening"]
        self.url = f"http://{self.address}"

    def command(self, *words):
        """Return the words of a command on this folder's configuration."""
        code = "from settlement.cli import main; main()"
        return [
            sys.executable,
            "-W",
            "error",
            "-c",
            code,
            *words,
            "--config",
            str(self.folder / "settlement.yaml"),
        ]

    def run(self, *words):
        """Run another command while the service runs."""
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=60, check=False)

    def make_code(self):
        """Return a one-time code."""
        made = self.run("enrol-code", "--shop", reference.SHOP, "--json")
        assert made.returncode == 0, made.stderr
        return json.loads(made.stdout)["code"]

    def files(self):
        """Return what the service has written."""
        return [path for path in self.folder.iterdir() if path.name.startswith(("centre.sqlite3", "log"))]

    def connect(self):
        """Return a bare connection."""
        host, _, port = self.address.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=30)

    def wait_until_deaf(self):
        """Wait until it takes no connection any more."""
        until = time.monotonic() + 30
        with contextlib.suppress(ConnectionRefusedError):
            while time.monotonic() < until:
                self.connect().close()
                time.sleep(0.02)
            pytest.fail("it still listens")

    def stop(self):
        """Ask it to stop and return the exit code and the seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        return code, time.monotonic() - began


@pytest.fixture
def service(tmp_path):
    """A service that is stopped at the end, whatever happens."""
    found = Service(tmp_path)
    yield found
    found.session.close()
    with contextlib.suppress(ProcessLookupError):
        found.process.kill()
    found.process.wait()
    found.process.stdout.close()


def client_of(service):
    """Enrol a device with a code that was made beside the running service."""
    code = service.make_code()
    client = CentreClient(service.url, "a host", lambda: time.time_ns() // 1_000_000, service.session)
    client.enrol(code)
    return client, code


def facts_request(client):
    """Return the questions of a quote."""
    request = client.hold_request("0" * 64, person=PERSON)
    return v1.FactsRequest(
        v=1,
        item=request.item,
        prices=request.prices,
        qualification_code=request.qualification_code,
        terminal_no=request.terminal_no,
        tender=request.tender,
    )


def test_a_day_of_a_service(service):
    client, enrol_code = client_of(service)
    asked = client.hold_request("0" * 64, person=PERSON)
    facts = client.facts(facts_request(client))
    assert facts.facts.qualification_known
    said = client.hold(person=PERSON)
    answers = [
        client.post("/v1/holds", msgspec.json.encode(asked).replace(b'"v":1', b'"v":1.0')),
        client.post("/v1/records", client.sealed(client.upload([client.chain(client.paid(said.sealed))]))),
        service.session.get(f"{service.url}/v1/records/{promised(said.sealed).record_id}", timeout=10),
        service.session.get(
            f"{service.url}/v1/records/{promised(said.sealed).record_id}",
            headers={"Authorization": f"Bearer {service.token}"},
            timeout=10,
        ),
        service.session.get(f"{service.url}/v1/{reference.identity_no(PERSON)}", timeout=10),
    ]
    assert [answer.status_code for answer in answers] == [400, 200, 401, 200, 404]

    # The port is taken, the database is not: other commands work beside the service.
    second = service.run("serve", "--set", f"listen={service.address}")
    assert (second.returncode, second.stdout) == (5, "")
    assert "Address already in use" in second.stderr
    assert "Traceback" not in second.stderr
    verified = service.run("ledger", "verify", "--json")
    assert json.loads(verified.stdout) == {"true": True, "faults": []}

    written = {f"{path.name}, running": path.read_bytes() for path in service.files()}
    assert "centre.sqlite3-wal, running" in written
    assert service.stop() == (0, pytest.approx(0, abs=5))
    lines = [json.loads(line) for line in service.log.read_text(encoding="utf-8").splitlines()]
    assert all({"ts", "event", "level"} <= set(line) for line in lines)
    assert "device.enrolled" in {line["event"] for line in lines}
    assert not [line for line in lines if line["level"] in ("warning", "error")]
    refused = [(line["status"], line["code"]) for line in lines if line["event"] == "request.refused"]
    assert refused == [(400, "BODY_INVALID"), (401, "NOT_AUTHENTICATED"), (404, "NOT_FOUND")]

    # Nothing personal, and no secret, in what is on the disk or was answered.
    secrets = {
        "an enrolment code": enrol_code.partition("-")[0],
        "a qualification code": reference.code(PERSON),
        "an identity number": reference.identity_no(PERSON),
        "the API token": service.token,
    }
    written |= {path.name: path.read_bytes() for path in service.files()}
    written |= {f"answer {number}": answer.content for number, answer in enumerate(answers)}
    for what, secret in secrets.items():
        for where, content in written.items():
            assert secret.encode() not in content, f"{what} in {where}"


def test_ctrl_c_stops_it_once_what_is_under_way_is_answered(service):
    client, _ = client_of(service)
    client.pack_hash = "0" * 64
    body = msgspec.json.encode(client.hold_request(client.pack_hash, person=PERSON))
    headers = {"Content-Type": "application/json", **client.signature("/v1/holds", body, client.nonce())}
    lines = [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "Expect: 100-continue"]
    head = ["POST /v1/holds HTTP/1.1", "Host: centre", *lines, "", ""]
    with service.connect() as connection:
        connection.sendall("\r\n".join(head).encode())
        assert connection.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"  # it is under way
        connection.sendall(body[:-1])
        service.process.send_signal(signal.SIGINT)
        service.wait_until_deaf()
        connection.sendall(body[-1:])
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 200")
    assert service.process.wait(timeout=30) == 0


def test_a_power_cut_keeps_every_promise_that_was_given(service):
    client, _ = client_of(service)
    client.facts(facts_request(client))
    given = [client.hold(person=person).promise for person in range(3)]
    os.kill(service.process.pid, signal.SIGKILL)
    service.process.wait()
    balances = json.loads(service.run("ledger", "balances", "--json").stdout)["balances"]
    held = sum(one["fen"] for one in balances if one["account"] == "held")
    assert held == sum(promise.amounts.subsidy_fen for promise in given)
