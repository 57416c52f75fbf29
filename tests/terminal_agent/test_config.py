"""A wrong word in agent.yaml is refused where it stands, with what to write instead."""

from pathlib import Path

import pytest
from acquirer import profile_text
from typer.testing import CliRunner

from subsidy.strict.yaml_text import FileError
from terminal_agent.cli import app
from terminal_agent.config import read_config

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config" / "agent.example.yaml"

GOOD = """\
centre: "https://centre.example"
data: data
listen: "127.0.0.1:8610"
training: false
hold_budget_ms: 5000
wait_s: 25
sync_every_ms: 5000
terminals:
  "12345678":
    driver: stx_lrc
    port: "/dev/ttyUSB0"
    profile: profile.yaml
tills:
  "01": "12345678"
"""


@pytest.fixture
def written(tmp_path):
    """Write a configuration beside a good profile."""
    (tmp_path / "profile.yaml").write_bytes((ROOT / "config" / "terminals" / "stx_lrc.yaml").read_bytes())

    def write(text):
        path = tmp_path / "agent.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def refused(path, *, by_a_command=True):
    """Return what is wrong with a configuration, having seen that a command says the same and ends with 3."""
    with pytest.raises(FileError) as wrong:
        read_config(path)
    assert wrong.value.remedy
    if not by_a_command:
        return wrong.value
    done = CliRunner().invoke(app, ["enrol", "CODE", "--dry-run", "--config", str(path)])
    assert done.exit_code == 3
    assert isinstance(done.exception, SystemExit)
    assert done.stderr.strip() == str(wrong.value)
    assert done.stdout == ""
    return wrong.value


def test_the_example_loads_and_sells_for_real():
    config = read_config(EXAMPLE)
    assert config.training is False
    assert config.centre == "https://centre.example"
    assert (config.host, config.port) == ("127.0.0.1", 8610)
    assert set(config.tills.values()) <= set(config.terminals)


def test_the_example_shows_every_key_and_its_default(written):
    text = EXAMPLE.read_text(encoding="utf-8")
    least = "\n".join(line for line in GOOD.splitlines() if line.partition(":")[0] not in OPTIONAL)
    shown, default = read_config(EXAMPLE), read_config(written(least))
    for name in OPTIONAL:
        assert f"\n{name}: " in text
    for name in ("host", "port", "training", "hold_budget_s", "wait_s", "sync_every_s"):
        assert getattr(shown, name) == getattr(default, name)


OPTIONAL = ("listen", "training", "hold_budget_ms", "wait_s", "sync_every_ms")

# key: value as it stands above, and what stands there instead.
WRONG_VALUES = {
    "centre": (
        *(
            "http://centre.example",
            "http://10.0.0.7:8600",
            "http://127.0.0.1.evil.example",
            "HTTP://centre.example",
        ),
        *(
            "http://localhost.example",
            "http://127.0.0.1@evil.example",
            "ftp://centre.example",
            "centre.example",
        ),
        *(
            "https://",
            "//centre.example",
            "https:centre.example",
            "https://centre.example/?a=b",
            "https://[::1",
        ),
        *("https://centre.example#x", "https://centre.example:99999", "https://centre.example:x", "12"),
        *("https://user:secret@centre.example", "https://centre example", ""),
    ),
    "data": ("", " "),
    "listen": (
        *(
            "0.0.0.0:8610",
            "192.168.1.5:8610",
            "centre.example:8610",
            "[::]:8610",
            ":8610",
            "127.0.0.1",
            "8610",
        ),
        *(
            "127.0.0.1:",
            "127.0.0.1:0",
            "127.0.0.1:65536",
            "127.0.0.1:99999",
            "127.0.0.1:-1",
            "127.0.0.1:http",
        ),
        *(
            "127.0.0.1:８６１０",
            "127.0.0.1:8610 ",
            "http://127.0.0.1:8610",
            "127.0.0.2:8610",
            "127.0.0.1.:8610",
        ),
    ),
}
WRONG_WORDS = {
    "centre": ("[]", "{}", "17", "null", "true", "https://a: b"),
    "data": ("[]", "17", "~", "true"),
    "listen": ("8610", "[]", "null"),
    "training": ("yes", "on", "True", "TRUE", "1", "0", '"false"', "null", "[]", ""),
    "hold_budget_ms": (
        "199",
        "30001",
        "0",
        "-1",
        "5000.0",
        "5e3",
        "5_000",
        "0x10",
        "05000",
        '"5000"',
        "null",
        "x",
    ),
    "wait_s": ("61", "-1", "25.0", '"25"', "1e1", "025", "２５", "[25]", "9" * 30, ""),
    "sync_every_ms": ("99", "300001", "5000.5", '"5000"', "five", "true"),
    "terminals": ("[]", "17", "null", "{}", '"12345678"'),
    "tills": ("[]", "17", "null", "{}"),
    "    driver": ("stx", "STX_LRC", "17", "[]", "null", '""'),
    "    port": ("", "[]", "17", "null", '""'),
    "    profile": ("", "[]", "17", '""'),
    '  "01"': ("12345678", '"87654321"', '"1234567"', '""', "null", "[]", '" 12345678"'),
}
FIRST_VALUES = {
    *(f'"{values[0]}"' for values in WRONG_VALUES.values()),
    *(values[0] for values in WRONG_WORDS.values()),
}


def with_value(key, value):
    """Return the good text with another value at `key`, and the number of its line."""
    lines = GOOD.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.partition(":")[0] == key)
    lines[at] = f"{key}: {value}"
    if key in ("terminals", "tills"):  # what belongs to it goes too
        rest = lines[at + 1 :]
        while rest and rest[0].startswith(" "):
            rest.pop(0)
        lines[at + 1 :] = rest
    return "\n".join(lines) + "\n", at + 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, f'"{value}"') for key, values in WRONG_VALUES.items() for value in values),
        *((key, value) for key, values in WRONG_WORDS.items() for value in values),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_line(written, key, value):
    text, line = with_value(key, value)
    path = written(text)
    wrong = refused(path, by_a_command=value in FIRST_VALUES)
    assert (wrong.file, wrong.line) == (str(path), line)
    assert "secret" not in str(wrong)


@pytest.mark.parametrize(
    "centre", ["http://127.0.0.1:8600", "http://localhost:8600", "https://10.0.0.7:8600/a"]
)
def test_a_centre_on_this_host_may_do_without_encryption(written, centre):
    text, _ = with_value("centre", f'"{centre}"')
    assert read_config(written(text)).centre == centre


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        ("12345678", "is not quoted"),
        ('"1234567"', "no terminal number"),
        ('"123456789"', "no terminal number"),
        ('"1234567a"', "no terminal number"),
        ('"１２３４５６７８"', "no terminal number"),
        ('"EMU00001"', "is an emulator"),
    ],
)
def test_a_terminal_that_cannot_be_is_refused(written, number, problem):
    wrong = refused(written(GOOD.replace('  "12345678":\n', f"  {number}:\n")))
    assert problem in wrong.problem
    assert wrong.line in (9, 10)


def test_an_emulated_terminal_is_taken_for_training_only(written):
    text = GOOD.replace("12345678", "EMU00001")
    assert "training: true" in refused(written(text)).remedy
    assert read_config(written(text.replace("training: false", "training: true"))).training


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GOOD + "colour: blue\n", 15),
        (GOOD + "Training: true\n", 15),
        (GOOD.replace("    driver:", "    speed: 9600\n    driver:"), 10),
        (GOOD + 'centre: "https://other.example"\n', 15),
        (GOOD.replace('  "01":', '  "01": "12345678"\n  "01":'), 15),
        (GOOD + '  01: "12345678"\n', 15),
    ],
    ids=["unknown", "capital", "unknown below", "twice", "twice below", "not quoted"],
)
def test_a_key_that_cannot_be_is_refused_with_its_line(written, text, line):
    assert refused(written(text)).line == line


@pytest.mark.parametrize(
    "key", ["centre", "data", "terminals", "tills", "    driver", "    port", "    profile"]
)
def test_a_key_that_is_missing_is_named(written, key):
    text, line = with_value(key, "")
    lines = text.splitlines()
    del lines[line - 1]
    assert f"{key.strip()} is missing" in refused(written("\n".join(lines) + "\n")).problem


@pytest.mark.parametrize(
    "text",
    [
        *("", "# nothing\n", "---\n", "[]\n", "text\n", "a: b: c\n", "\tcentre: x\n", 'centre: "x\n'),
        GOOD + "---\n" + GOOD,
        GOOD.replace("data: data", "data: &a data"),
        GOOD.replace("data: data", "data: !!str data"),
        GOOD.replace("data: data", "data: ../\x07"),
        GOOD.encode("utf-16"),
        GOOD.replace("data: data", "data: 数据").encode("gbk"),
        b"\x00" * 50,
        GOOD + "more: " + "[" * 40 + "]" * 40 + "\n",
    ],
    ids=lambda text: str(text[:10]),
)
def test_what_is_no_configuration_is_refused(written, text):
    assert refused(written(text)).line >= 1


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "cannot be read" in refused(tmp_path / "agent.yaml").problem
    assert "cannot be read" in refused(tmp_path).problem


def test_what_is_wrong_in_a_profile_is_said_of_the_profile(written, tmp_path):
    profile = tmp_path / "profile.yaml"
    profile.write_text(
        profile.read_text(encoding="utf-8").replace("baud: 9600 ", "baud: 96 "), encoding="utf-8"
    )
    wrong = refused(written(GOOD))
    assert wrong.file == str(profile)
    assert wrong.where == "line.baud"
    profile.unlink()
    assert refused(written(GOOD)).file == str(profile)


# Supervisors.

NOBODYS = "$argon2id$v=19$m=32768,t=4,p=1$" + "A" * 22 + "$" + "A" * 43


def with_supervisors(written, *lines):
    return written(GOOD + "supervisors:\n" + "".join(f"  {line}\n" for line in lines))


def test_supervisors_are_read_and_may_be_left_out(written):
    found = read_config(with_supervisors(written, f'"manager-1": "{NOBODYS}"', f'王店长: "{NOBODYS}"'))
    assert found.supervisors == {"manager-1": NOBODYS, "王店长": NOBODYS}
    assert read_config(written(GOOD)).supervisors == {}


def test_no_pin_opens_what_the_example_shows():
    assert set(read_config(EXAMPLE).supervisors.values()) == {NOBODYS}


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ('"manager-1": "246813"', "pin-hash"),
        ('"manager-1": ""', ""),
        (f'"manager-1": "{NOBODYS[:-1]}"', "pin-hash"),
        (f'"manager-1": "{NOBODYS[:-1]}1"', "pin-hash"),
        (f'"manager-1": "{NOBODYS.replace("32768", "9999999")}"', "pin-hash"),
        (f'"manager-1": "{NOBODYS.replace("argon2id", "argon2d")}"', "pin-hash"),
        (f'"{"x" * 33}": "{NOBODYS}"', "staff number"),
        (f'"13987650412": "{NOBODYS}"', "staff number"),
        (f'"": "{NOBODYS}"', ""),
    ],
)
def test_a_supervisor_who_cannot_be_one_is_refused_with_the_line(written, line, remedy):
    wrong = refused(with_supervisors(written, line))
    assert wrong.line in (15, 16)
    assert remedy in wrong.remedy
    assert "13987650412" not in str(wrong)
    assert '"246813"' not in str(wrong)


def test_every_driver_is_configured_by_name_port_and_profile(written):
    for driver, port, profile in (
        ("serial_ecr", "/dev/ttyUSB0", "separated"),
        ("nexo_tcp", "192.168.1.20:4000/P400-123456789", "nexo_tcp"),
        ("mis_fixed", "dll:C:/ums/posinf.dll", "mis_fixed"),
        ("mis_fixed", "tcp:192.168.1.30:7000", "mis_fixed"),
    ):
        text = GOOD.replace("stx_lrc", driver).replace("/dev/ttyUSB0", port)
        file = ROOT / "config" / "terminals" / f"{profile}.yaml"
        config = read_config(written(text.replace("profile.yaml", f'"{file}"')))
        assert config.terminals["12345678"].port == port


@pytest.mark.parametrize(
    ("driver", "port", "says"),
    [
        ("nexo_tcp", "/dev/ttyUSB0", 'as in "192.168.1.20:4000/P400-123456789"'),
        ("mis_fixed", "/dev/ttyUSB0", 'as in "dll:C:/ums/posinf.dll"'),
    ],
)
def test_a_port_of_another_driver_is_refused_where_it_stands(driver, port, says, written):
    file = ROOT / "config" / "terminals" / f"{driver}.yaml"
    text = GOOD.replace("stx_lrc", driver).replace("/dev/ttyUSB0", port).replace("profile.yaml", f'"{file}"')
    wrong = refused(written(text))
    assert (wrong.line, wrong.where) == (11, "terminals.12345678.port")
    assert says in wrong.remedy


def test_a_profile_of_another_family_is_refused(written):
    wrong = refused(written(GOOD.replace("stx_lrc", "mis_fixed").replace("/dev/ttyUSB0", "dll:x")))
    assert wrong.file.endswith("profile.yaml")


def test_two_terminals_at_one_port_are_refused_with_the_line_of_the_second(written):
    second = '  "87654321":\n    driver: stx_lrc\n    port: "/dev/ttyUSB0"\n    profile: profile.yaml\n'
    wrong = refused(written(GOOD.replace("tills:", f"{second}tills:")))
    assert (wrong.line, wrong.where) == (15, "terminals.87654321.port")
    assert "12345678" in wrong.problem
    other = second.replace("ttyUSB0", "ttyUSB1")
    assert len(read_config(written(GOOD.replace("tills:", f"{other}tills:"))).terminals) == 2


def test_terminals_that_speak_to_one_acquirer_share_its_address(written):
    at_host = GOOD.split("terminals:")[0].replace("training: false", "training: true") + "terminals:\n"
    path = written(at_host)
    for number in ("EMU00001", "EMU00002"):
        (path.parent / f"{number}.yaml").write_text(profile_text(number), encoding="utf-8")
        at_host += f'  "{number}":\n    driver: iso8583_direct\n    port: "10.0.0.1:8583"\n'
        at_host += f"    profile: {number}.yaml\n"
    config = read_config(written(at_host + 'tills:\n  "01": "EMU00001"\n'))
    assert {one.port for one in config.terminals.values()} == {"10.0.0.1:8583"}


@pytest.mark.parametrize("till", ["", " ", "1\\n2", "1" * 33, "a\\u202eb"])
def test_a_till_by_a_name_that_no_till_can_send_is_refused_with_its_line(written, till):
    wrong = refused(written(GOOD + f'  "{till}": "12345678"\n'))
    assert wrong.line == 15
    assert "1 to 32" in wrong.remedy


@pytest.mark.parametrize("till", ["1" * 32, "收银台 2", "收银台\u3000２", "a/b"])
def test_a_till_is_called_what_its_shop_calls_it(written, till):
    assert till in read_config(written(GOOD + f'  "{till}": "12345678"\n')).tills
