"""Does `terminal-agent certify`, as an integrator runs it, tell which link keeps its promises, and why?

Real command, real emulators, faults at our own end.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from certify_shell import certify, here, served
from links_to_certify import NUMBER, to_certify

KINDS = ("allinpay", "nexo", "mis", "direct", "wechat", "alipay", "unionpay")
FEW = {"mis": "paying: the answer is"}
"""Words that choose some scenarios, where a child process for each call makes all take long."""


def verdicts(document: dict) -> dict[str, str]:
    return {one["name"]: one["verdict"] for one in document["scenarios"]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_that_keeps_its_promises_passes(kind, tmp_path):
    with to_certify(kind, tmp_path) as given:
        words = FEW.get(kind, "paying: the answer")
        where = ("--link", given.link, "--control", given.control, "--only", words)
        done = certify(given.config, *where, "--json")
        books = requests.get(f"{given.control}/books", timeout=5).json()
        # Whoever asks again and again asks for what is new: all of it takes long after some thousand lines.
        newer = [
            requests.get(f"{given.control}/books?after={no}", timeout=5).json() for no in (1, len(books))
        ]
        refused = requests.get(f"{given.control}/books?after=-1", timeout=5)
    document = json.loads(done.stdout)
    assert newer == [books[1:], []]
    assert [line["no"] for line in books] == [*range(1, len(books) + 1)]
    assert (refused.status_code, "?after=12" in refused.text) == (400, True)
    assert document["failed"] == document["not_tried"] == 0
    assert document["passed"] == {"mis": 2, "direct": 8}.get(kind, 7)
    assert document["books_seen"] is True
    for one in document["scenarios"]:
        if one["verdict"] == "passed":
            assert one["done"]
            assert one["must"]
            assert any(seen.startswith("paying: ") for seen in one["saw"])
            assert any(seen.startswith("their books: taken 101, given back 101") for seen in one["saw"])
    moved = [line["kind"] for line in books]
    assert len(moved) >= 2 * document["passed"]
    assert not (tmp_path / "data").exists()  # the agent's journal is not touched


def test_the_power_may_fail_at_any_byte(tmp_path):
    with to_certify("nexo", tmp_path) as given:
        where = ("--link", given.link, "--control", given.control, "--only", "power cut while paying")
        said = here(given.config, *where).stdout
    assert said.startswith("ok   power cut while paying\n")
    assert said.endswith("1 passed, 0 failed, 0 not tried, 0 does not apply\n")


def test_a_code_that_is_shown_is_scanned_at_the_emulator(tmp_path):
    with to_certify("wechat/shown", tmp_path) as given:
        where = ("--link", given.link, "--control", given.control, "--only", "the shopper scans")
        said = here(given.config, *where).stdout
    assert (
        "seen: their books: nothing; paying: still at work (NOTPAY); a scan: taken; a scan: not taken" in said
    )


def test_what_was_done_and_had_to_be_seen_stands_beside_what_was_seen(serial):
    said = here(
        serial.config, "--link", NUMBER, "--control", serial.control, "--only", "paying: the answer is lost"
    )
    lines = said.stdout.splitlines()
    assert lines[0] == "ok   paying: the answer is lost"
    assert lines[1] == "       done: made at our own end"
    assert lines[2] == (
        "       must: paying: unclear; asked about: yes; it is taken once; undone whole, once"
    )
    assert lines[3] == (
        "       seen: their books: nothing; paying: unclear; asked about: yes of 101 fen (00); "
        "their books: taken 101; undoing: yes (00); asked about: unclear; "
        "their books: taken 101, given back 101"
    )


def test_without_a_control_address_what_needs_one_is_not_passed(serial):
    done = here(serial.config, "--link", NUMBER, "--only", "paying: a", code=4)  # another, an explicit no
    assert "not tried, needs an emulator's control address (--control)" in done.stdout
    done = here(serial.config, "--link", NUMBER, "--only", "paying: the answer is lost", "--json", code=4)
    document = json.loads(done.stdout)
    assert document["books_seen"] is False
    (lost,) = (one for one in document["scenarios"] if one["name"] == "paying: the answer is lost")
    assert lost["verdict"] == "passed"
    assert not any("their books" in seen for seen in lost["saw"])
    assert len(lost["orders"][0]) == 28  # to be compared with the other side's own list


def test_payment_codes_are_asked_of_whoever_stands_there_and_never_shown(tmp_path):
    codes = [f"13000000000000{number:04d}" for number in range(7000, 7004)]
    with to_certify("wechat", tmp_path) as given:
        where = ("--link", "wechat", "--only", "torn off")
        done = here(given.config, *where, typed="\n".join(codes) + "\n", code=4)
    assert "4 passed, 0 failed, 0 not tried, 1 does not apply\nThe other side's books" in done.stdout
    assert "ok   paying: the answer is torn off" in done.stdout
    assert "ok   undoing: its answer is torn off" in done.stdout
    assert "does not apply, a return is the same on every day here" in done.stdout
    assert not any(code in done.stdout + done.stderr for code in codes)
    assert "look up" not in done.stdout
    with to_certify("wechat", tmp_path / "again") as given:
        none = here(given.config, "--link", "wechat", "--only", "paying: nothing goes wrong", code=4)
    assert "not tried, nobody answered: Show a payment code of wechat and scan it" in none.stdout


class LyingControl(ThreadingHTTPServer):
    """An emulator whose books say that each sale was charged twice."""

    def __init__(self, control: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                return

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length) or None
                answer = requests.request(
                    self.command,
                    control + self.path,
                    data=body,
                    headers={"Content-Type": "application/json"},
                    timeout=5,
                )
                said = answer.json()
                if self.path.startswith("/books?"):
                    said = [line for one in said for line in [one] * (2 if one["kind"] == "sale" else 1)]
                content = json.dumps(said).encode()
                self.send_response(answer.status_code)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _serve

        super().__init__(("127.0.0.1", 0), Handler)


def test_a_counterpart_that_charges_twice_is_found(serial):
    with served(LyingControl(serial.control)) as control:
        done = certify(serial.config, "--link", NUMBER, "--control", control, "--only", "is lost", code=1)
    assert "FAIL paying: the answer is lost" in done.stdout
    assert (
        "WRONG: had to be seen: their books: taken 101; was seen: their books: taken 101, taken 101"
        in done.stdout
    )
    assert "ok   paying: the request is lost" in done.stdout  # where nothing was taken, nothing is twice


def test_a_counterpart_that_approves_another_amount_is_found_without_its_books(tmp_path):
    with to_certify("allinpay", tmp_path) as given:
        requests.post(f"{given.control}/faults", json={"fault": "wrong_amount", "fen": 202}, timeout=5)
        done = here(given.config, "--link", NUMBER, "--only", "paying: nothing goes wrong", code=1)
    assert done.stdout.startswith("FAIL paying: nothing goes wrong\n")
    assert "had to be seen: a yes of 101 fen; was seen: yes of 202 fen" in done.stdout
    (order,) = (line.split()[-1] for line in done.stdout.splitlines() if "look up: " in line)
    assert len(order) == 28


def test_a_channel_that_confirms_what_it_did_not_undo_is_found(tmp_path):
    with to_certify("wechat", tmp_path) as given:
        fault = {"fault": "reverse_lost", "times": 1000}
        requests.post(f"{given.control}/faults", json=fault, timeout=5)
        where = ("--link", "wechat", "--only", "undoing: nothing goes wrong", "--json")
        done = here(given.config, *where, typed="130000000000001234\n", code=1)
    assert verdicts(json.loads(done.stdout)) == {"undoing: nothing goes wrong": "failed"}


def test_an_emulator_that_is_not_there_is_said(serial, tmp_path):
    with to_certify("allinpay", tmp_path) as gone:
        pass
    lost = here(gone.config, "--link", NUMBER, "--control", serial.control, "--only", "is lost", code=5)
    assert "the other side does not answer, or is at work" in lost.stdout
    where = ("--link", NUMBER, "--only", "is lost", "--control")
    silent = here(serial.config, *where, "127.0.0.1:1", code=5)
    assert "the control address does not answer as an emulator's" in silent.stderr


def test_the_control_address_of_another_kind_is_here(serial, tmp_path):
    with to_certify("wechat", tmp_path) as other:
        where = ("--link", NUMBER, "--control", other.control)
        assert "of another kind of emulator" in here(serial.config, *where, code=2).stderr
    for wrong in ("example.com:80", "127.0.0.1", "127.0.0.1:99999", "ftp://127.0.0.1:21"):
        said = here(serial.config, "--link", NUMBER, "--control", wrong, code=2).stderr
        assert "as in 127.0.0.1:41327" in said


def test_what_there_is_is_listed_and_nothing_is_tried(serial):
    assert here(serial.config, "--list").stdout == f"{NUMBER}\n"
    assert json.loads(here(serial.config, "--list", "--json").stdout) == {"links": [NUMBER]}
    before = requests.get(f"{serial.control}/books", timeout=5).json()
    said = here(serial.config, "--link", NUMBER, "--list").stdout
    assert len(said.splitlines()) >= 40
    assert "paying: the answer's signature is wrong  (does not apply: " in said
    assert "paying: an explicit no  (not tried: needs an emulator's control address (--control))" in said
    assert requests.get(f"{serial.control}/books", timeout=5).json() == before


def test_a_link_that_is_not_there_is_named(serial):
    assert f"There are: {NUMBER}" in here(serial.config, code=2).stderr
    said = here(serial.config, "--link", "wechat", "--json", code=2)
    assert json.loads(said.stdout)["exit_code"] == 2
    assert f"wechat is no link of this configuration. There are: {NUMBER}" in said.stderr
    said = here(serial.config, "--link", NUMBER, "--only", "no such words", code=2).stderr
    assert "No scenario has 'no such words' in its name" in said
