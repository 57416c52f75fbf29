import pytest
from acquirer import PROFILE_FILE, profile_text
from typer.testing import CliRunner

from subsidy.strict.yaml_text import FileError
from terminal_agent.cli import app
from terminal_agent.config import read_config
from terminal_agent.terminals.direct.profile import CodeClass, read_profile
from terminal_agent.terminals.drivers import DRIVERS
from terminal_agent.terminals.terminal import PortRefused

TEXT = PROFILE_FILE.read_text(encoding="utf-8")
CONFIG = """\
centre: "https://centre.example"
data: data
training: {training}
terminals:
  "{number}":
    driver: iso8583_direct
    port: "{port}"
    profile: profile.yaml
tills:
  "01": "{number}"
"""


def test_the_shipped_profile_says_what_each_code_means():
    profile = read_profile(TEXT, "x")
    meant = {code: profile.class_of(code) for code in ("00", "10", "51", "96", "77", "25", "21", "", "94")}
    assert list(meant.values()) == [
        CodeClass.APPROVED,
        CodeClass.PARTIAL,
        CodeClass.DECLINED,
        CodeClass.UNCLEAR,
        CodeClass.SIGN_IN,
        CodeClass.NO_ORIGINAL,
        CodeClass.SETTLED,
        CodeClass.UNCLEAR,
        CodeClass.UNCLEAR,
    ]
    assert [code for code in ("51", "25", "21", "A1", "96", "00", "77") if profile.refuses(code)] == [
        "51",
        "25",
        "21",
    ]


@pytest.mark.parametrize(
    ("was", "becomes", "why"),
    [
        ("family: iso8583_direct", "family: stx_lrc", "stx_lrc"),
        ('number: "EMU00001"', 'number: "EMU1"', "8 characters"),
        ('number: "EMU00001"', "number: 12345678", "quotes"),
        ('merchant: "EMU000000000001"', 'merchant: "EMU1"', "15 characters"),
        ("kind: training", "kind: ingenico", "ingenico"),
        ("plaintext_private_line: true", "plaintext_private_line: false", "neither TLS nor a private line"),
        ("plaintext_private_line: true", "authorities: ca.pem", "half of TLS"),
        (
            "plaintext_private_line: true",
            "plaintext_private_line: true\n  authorities: ca.pem\n  server_name: a.example",
            "or both",
        ),
        ('sign_in: "003"', 'sign_in: "002"', "002"),
        ('order_field: "57"', 'order_field: "35"', "35"),
        ('- "21"', '- "00"', "stands under"),
        ('- "21"', '- "210"', "does not fit"),
        ("connect_ms: 3000", "connect_ms: 0", "below 1"),
        ("answer_cap_ms: 60000", "answer_cap_ms: 1", "shorter"),
        ("\n  settled: ", "\n  setled: ", "setled"),
    ],
)
def test_a_wrong_word_is_refused_with_its_line(was, becomes, why):
    assert was in TEXT
    with pytest.raises(FileError, match=why) as refused:
        read_profile(TEXT.replace(was, becomes, 1), "mine.yaml")
    assert refused.value.line > 1
    assert refused.value.remedy


@pytest.mark.parametrize("port", ["", "localhost", ":8583", "host:", "host:0", "host:99999", "host:8583x"])
def test_a_port_is_a_host_and_a_number(port, tmp_path):
    with pytest.raises(PortRefused, match="no host and port"):
        DRIVERS["iso8583_direct"](port, profile_text("EMU00001"), str(tmp_path / "p.yaml"))


def test_a_dialect_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(FileError, match="cannot be read"):
        DRIVERS["iso8583_direct"]("127.0.0.1:1", TEXT, str(tmp_path / "p.yaml"))


@pytest.fixture
def written(tmp_path):
    def write(number="EMU00001", named="EMU00001", training="true", port="127.0.0.1:1"):
        (tmp_path / "profile.yaml").write_text(profile_text(number), encoding="utf-8")
        file = tmp_path / "agent.yaml"
        file.write_text(CONFIG.format(number=named, training=training, port=port), encoding="utf-8")
        return file

    return write


def test_a_shop_may_name_it(written):
    assert read_config(written()).terminals["EMU00001"].port == "127.0.0.1:1"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"named": "EMU00002"}, "the profile is of terminal EMU00001"),
        ({"number": "12345678", "named": "12345678", "training": "false"}, "pinpad is for training"),
        ({"training": "false"}, "EMU00001 is an emulator"),
    ],
)
def test_a_pinpad_for_training_takes_no_real_money(changes, why, written):
    with pytest.raises(FileError, match=why):
        read_config(written(**changes))


def test_the_doctor_asks_the_host_and_no_shopper(written, acquirer):
    found = CliRunner().invoke(app, ["doctor", "--config", str(written(port=acquirer.address)), "--json"])
    assert '"check": "terminal EMU00001",\n      "well": true' in found.stdout
    assert "answers (B." in found.stdout
    away = CliRunner().invoke(app, ["doctor", "--config", str(written())])
    assert "NOT terminal EMU00001: no answer on 127.0.0.1:1" in away.stdout
