"""Who looks at a running agent reads there, early enough, that a channel's certificate runs out."""

import datetime
import json
import subprocess

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID
from lone_agent import LoneAgent
from story.processes import BIN
from unionpay import EmulatedUnionPay

DAYS = 9


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    """An agent that takes UnionPay with a certificate of nine more days."""
    folder = tmp_path_factory.mktemp("agent")
    host = LoneAgent(folder)
    with EmulatedUnionPay.start(folder) as emulated:
        key = load_pem_private_key((folder / emulated.ready["private_key"]).read_bytes(), None)
        ends_soon = folder / "ends_soon.cer"
        ends_soon.write_bytes(certificate(key))
        text = emulated.profile_text().replace(str(emulated.ready["certificate"]), str(ends_soon))
        assert str(ends_soon) in text
        (folder / "unionpay.yaml").write_text(text, encoding="utf-8")
        with host.config.open("a", encoding="utf-8") as config:
            config.write("channels:\n  unionpay:\n    profile: unionpay.yaml\n")
        with host.running():
            yield host


def certificate(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "EMU")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=400))
        .not_valid_after(now + datetime.timedelta(days=DAYS, hours=12))
    )
    return made.sign(key, SHA256()).public_bytes(Encoding.PEM)


def test_the_status_that_the_till_asks_for_names_it(agent):
    (said,) = requests.get(f"{agent.url}/v1/status", timeout=5).json()["certificates"]
    assert said.startswith("unionpay: certificate ")
    assert f"in {DAYS} days" in said


def test_the_status_command_names_it_and_what_to_do_and_ends_as_worth_a_look(agent):
    command = [str(BIN / "terminal-agent"), "status", "--config", str(agent.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 4, done.stderr
    (line,) = (one for one in done.stdout.splitlines() if "certificate" in one)
    assert f"in {DAYS} days" in line
    assert line.endswith("Put the new one into its file; no restart is needed")
    told = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60)
    (again,) = json.loads(told.stdout)["certificates"]
    assert line.startswith(again)
