"""What does shop IT read when a host's key, journal or enrolment is not there, is another's or is spoilt?"""

import json

import pytest
from acquirer import profile_text
from agent_shell import CODE, CONFIG, DONE, DOWN, LOOK, REFUSED, run

pytestmark = pytest.mark.usefixtures("commands_of_ours")

DIRECT = "EMU90001"


def add_direct_terminal(host):
    """Let the host have a terminal whose batches it closes itself, at a host that is not there."""
    (host.folder / "direct.yaml").write_text(profile_text(DIRECT), encoding="utf-8")
    text = host.config.read_text(encoding="utf-8")
    one = f'  {DIRECT}: {{driver: iso8583_direct, port: "127.0.0.1:1", profile: direct.yaml}}\n'
    host.config.write_text(text.replace("terminals:\n", f"terminals:\n{one}", 1), encoding="utf-8")


# The key.


@pytest.mark.parametrize("words", [("run",), ("resume",), ("enrol", CODE)], ids=" ".join)
def test_a_key_that_others_may_read_is_refused(host, words):
    if words[0] == "enrol":
        for part in host.journal_file.parent.glob("journal.*"):
            part.unlink()  # a host that enrols anew, with the key it has
    host.key_file.chmod(0o644)
    assert f"chmod 600 {host.key_file}" in run(host, *words, code=CONFIG)["error"]


@pytest.mark.parametrize(
    "content", [b"", b"not hex", b"ab" * 31, b"ab" * 33, b"\xff" * 64, "密".encode() * 30]
)
def test_a_key_that_is_none_is_refused_and_not_shown(host, content):
    host.key_file.write_bytes(content)
    said = run(host, "run", code=CONFIG)["error"]
    assert "not a device key" in said
    assert not content or content.decode("latin-1") not in said


REPLACED = "have the platform replace this device, and enrol with a new `data` folder"


@pytest.mark.parametrize("content", [None, b"", b"not hex"])
def test_whose_key_is_lost_is_told_to_have_the_device_replaced(host, content):
    host.key_file.unlink()
    if content is not None:
        host.key_file.write_bytes(content)
        host.key_file.chmod(0o600)
    for words in (("run",), ("resume",)):
        assert REPLACED in run(host, *words, code=CONFIG)["error"]
    found = doctors_word_on_the_key(host)
    assert REPLACED in found["remedy"]
    assert "enrol CODE" not in found["found"] + found["remedy"]
    assert "device replaced" in run(host, "enrol", CODE, code=REFUSED)["error"]


def test_a_doctor_says_of_each_key_what_helps_it(host):
    host.key_file.chmod(0o644)
    found = doctors_word_on_the_key(host)
    assert found["found"] == f"{host.key_file}: others may read the device's key"
    assert found["remedy"] == f"Run `chmod 600 {host.key_file}`"


@pytest.mark.parametrize("content", [b"", b"ab"])
def test_a_new_host_whose_key_is_none_makes_another(new_host, content):
    assert doctors_word_on_the_key(new_host)["remedy"] == "Run `terminal-agent enrol CODE`"
    new_host.key_file.parent.mkdir()
    new_host.key_file.write_bytes(content)
    new_host.key_file.chmod(0o600)
    advice = f"No device has this key: remove {new_host.key_file}, then run `terminal-agent enrol CODE`"
    assert run(new_host, "enrol", CODE, code=CONFIG)["error"].endswith(advice)
    assert doctors_word_on_the_key(new_host)["remedy"] == advice
    new_host.key_file.unlink()
    run(new_host, "enrol", CODE, code=DOWN)
    assert doctors_word_on_the_key(new_host)["well"]


def doctors_word_on_the_key(host):
    checks = run(host, "doctor", code=LOOK)["checks"]
    return next(one for one in checks if one["check"] == "device key")


def test_another_centre_than_the_one_it_enrolled_at_is_refused(host):
    text = host.config.read_text(encoding="utf-8")
    host.config.write_text(text.replace(str(host.centre_port), "1"), encoding="utf-8")
    said = run(host, "run", code=CONFIG)["error"]
    assert f"http://127.0.0.1:{host.centre_port}" in said


# The journal.


@pytest.mark.parametrize("words", [("run",), ("resume",), ("enrol", CODE), ("outbox", "ls")], ids=" ".join)
def test_a_journal_that_is_none_is_kept_and_said(host, words):
    host.journal_file.write_bytes(b"this is no database" * 400)
    said = run(host, *words, code=DOWN)["error"]
    assert str(host.journal_file) in said
    assert host.journal_file.read_bytes().startswith(b"this is no database")


@pytest.mark.parametrize("words", [("run",), ("enrol", CODE)], ids=" ".join)
def test_a_folder_that_cannot_be_one_is_said(new_host, words):
    (new_host.folder / "agent-data").write_text("a file stands where the folder should be")
    assert "agent-data" in run(new_host, *words, code=DOWN)["error"]


OF_A_DEVICE = [
    ("run",),
    ("resume",),
    ("outbox", "ls"),
    ("outbox", "again"),
    ("settle", DIRECT),
    ("mend",),
]
"""What only a host with a journal can do."""


@pytest.mark.parametrize("words", OF_A_DEVICE, ids=" ".join)
def test_only_enrolment_makes_a_journal(host, words):
    add_direct_terminal(host)
    text = host.config.read_text(encoding="utf-8")
    host.config.write_text(text.replace("data: agent-data", "data: typo"), encoding="utf-8")
    said = run(host, *words, code=DOWN)["error"]
    assert said.startswith(f"There is no journal at {host.folder / 'typo' / 'journal.db'}. Correct `data`")
    assert not (host.folder / "typo").exists()


@pytest.mark.parametrize("words", [one for one in OF_A_DEVICE if one != ("mend",)], ids=" ".join)
def test_the_journal_of_a_host_that_is_not_enrolled_is_not_worked_on(new_host, words):
    add_direct_terminal(new_host)
    run(new_host, "enrol", CODE, code=DOWN)
    assert new_host.journal_file.exists()
    assert run(new_host, *words, code=REFUSED)["error"].startswith("This host is not enrolled")


def test_a_doctor_misses_a_journal_and_an_enrolment(new_host):
    def journal():
        checks = run(new_host, "doctor", code=LOOK)["checks"]
        return next(one for one in checks if one["check"] == "journal")

    found = journal()
    assert (found["well"], found["found"]) == (False, f"there is none at {new_host.journal_file}")
    assert "`data`" in found["remedy"]
    assert not new_host.journal_file.parent.exists()
    run(new_host, "enrol", CODE, code=DOWN)
    found = journal()
    assert (found["well"], found["found"]) == (False, "this host is not enrolled")
    assert found["remedy"] == "Run `terminal-agent enrol CODE`"


# Enrolment.


@pytest.mark.parametrize("words", [("run",), ("resume",)], ids=" ".join)
def test_a_host_that_is_not_enrolled_does_not_start(new_host, words):
    assert "terminal-agent enrol CODE" in run(new_host, *words, code=DOWN)["error"]


def test_an_enrolment_without_a_centre_can_be_tried_again(new_host):
    first = run(new_host, "enrol", CODE, code=DOWN)["error"]
    key = new_host.key_file.read_bytes()
    assert run(new_host, "enrol", CODE, code=DOWN)["error"] == first
    assert new_host.key_file.read_bytes() == key


def test_a_host_is_enrolled_once(host):
    run(host, "enrol", CODE, code=REFUSED)


def test_a_training_device_stays_one(host):
    text = host.config.read_text(encoding="utf-8")
    real = text.replace("training: true", "training: false").replace("EMU0000", "0000000")
    host.config.write_text(real, encoding="utf-8")
    for words in (("run",), ("resume",)):
        assert "training: true" in run(host, *words, code=REFUSED)["error"]


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    "code",
    ["garbage", "", CODE[:-1], CODE + "0", CODE.lower(), CODE.replace("-", ""), f"{CODE[:9]} {CODE[9:]}"],
)
def test_what_is_no_code_is_refused_unsent_and_not_shown(new_host, words, code):
    said = run(new_host, "enrol", *words, code, code=REFUSED)["error"]
    assert said.startswith("That is no enrolment code")
    assert not code or code not in said
    assert not new_host.key_file.parent.exists()


def test_a_tried_enrolment_leaves_nothing(new_host):
    run(new_host, "enrol", CODE, "--dry-run", code=DONE)
    assert not (new_host.folder / "agent-data").exists()


PROBLEM = {
    "type": "about:blank",
    "title": "The caller may not do this",
    "status": 403,
    "code": "CODE_REFUSED",
    "detail": "This code is unknown or used. Ask for a new one",
    "next_action": "CALL_SUPPORT",
    "retryable": False,
}


def test_a_wrong_code_is_refused(new_host, somebody_at):
    said = json.dumps(PROBLEM).encode()
    somebody_at(new_host.centre_port, 403, "application/problem+json", said)
    assert "Ask for a new one" in run(new_host, "enrol", CODE, code=REFUSED)["error"]


@pytest.mark.parametrize(
    "said",
    [
        (200, "text/html", b"<html>Pay for the hotel's network first</html>"),
        (200, "application/json", b"{}"),
        (200, "application/json", b"[" * 5000),
        (
            200,
            "application/json",
            b'{"typ":"enrolled.v1","alg":"Ed25519","kid":"x","payload":"e30=","sig":"AAAA"}',
        ),
        (302, "text/html", b""),
        (404, "text/html", b"not found"),
        (403, "application/json", b'{"error": "forbidden"}'),
        (500, "application/json", b"\xff\xfe"),
        (503, "application/problem+json", json.dumps({**PROBLEM, "status": 503, "retryable": True}).encode()),
    ],
    ids=["portal", "empty", "deep", "another seal", "redirect", "404", "403", "500", "503"],
)
def test_somebody_else_at_the_centres_address_is_no_centre(new_host, somebody_at, said):
    somebody_at(new_host.centre_port, *said)
    run(new_host, "enrol", CODE, code=DOWN)
