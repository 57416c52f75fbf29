"""A relay that the network can reach knows where its terminal calls from; nobody else is taken for it."""

from pathlib import Path

import pytest

from subsidy.strict.yaml_text import FileError
from terminal_agent.config import read_config
from terminal_agent.till.local import lines_of

TERMINALS = Path(__file__).resolve().parents[2] / "config" / "terminals"


def config(tmp_path, *, driver="relay", port="0.0.0.0:9101", more=""):
    profile = "stx_lrc" if driver == "stx_lrc" else "relay"
    text = (TERMINALS / f"{profile}.yaml").read_text(encoding="utf-8")
    if not port[0].isdigit():
        text += "\nline:\n  baud: 9600\n  parity: none\n  stop_bits: 1\n" * (driver == "relay")
    (tmp_path / "profile.yaml").write_text(text, encoding="utf-8")
    path = tmp_path / "agent.yaml"
    path.write_text(
        'centre: "https://centre.example"\ndata: data\nterminals:\n  "12345678":\n'
        f'    driver: {driver}\n    port: "{port}"\n    profile: profile.yaml\n{more}'
        'tills:\n  "01": "12345678"\n',
        encoding="utf-8",
    )
    return path


def test_addresses_are_read(tmp_path):
    path = config(tmp_path, more='    from: ["192.168.1.21", "192.168.1.22"]\n')
    assert read_config(path).terminals["12345678"].callers == {"192.168.1.21", "192.168.1.22"}


@pytest.mark.parametrize("port", ["127.0.0.1:9101", "localhost:9101", "/dev/ttyUSB0"])
def test_where_nobody_else_can_call_none_is_needed(tmp_path, port):
    assert read_config(config(tmp_path, port=port)).terminals["12345678"].callers == frozenset()


@pytest.mark.parametrize("port", ["0.0.0.0:9101", "192.168.1.5:9101", "till-1.shop:9101"])
def test_where_others_can_call_it_is_needed(tmp_path, port):
    with pytest.raises(FileError, match=r"`from` is missing.*192\.168\.1\.21"):
        read_config(config(tmp_path, port=port))


@pytest.mark.parametrize(
    "said",
    [
        *('"192.168.1.21"', "[]", '[""]', '["192.168.1.0/24"]', '["192.168.1"]', '["terminal-1"]'),
        *('["0.0.0.0"]', '["224.0.0.1"]', '["::1"]', '["192.168.1.021"]', '["192.168.1.٢"]', "[12]", "yes"),
    ],
)
def test_what_is_no_address_is_refused_with_its_place(tmp_path, said):
    with pytest.raises(FileError) as wrong:
        read_config(config(tmp_path, more=f"    from: {said}\n"))
    assert wrong.value.line == 8
    assert wrong.value.remedy


@pytest.mark.parametrize(("driver", "port"), [("stx_lrc", "/dev/ttyUSB0"), ("relay", "/dev/ttyUSB0")])
def test_a_terminal_that_does_not_call_has_none(tmp_path, driver, port):
    with pytest.raises(FileError, match="does not call us"):
        read_config(config(tmp_path, driver=driver, port=port, more='    from: ["192.168.1.21"]\n'))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"problem": "", "frames_seen": 0, "refused": 2, "refused_from": "10.0.0.9"}, "from 10.0.0.9"),
        ({"problem": "", "frames_seen": 5, "refused": 2, "refused_from": "10.0.0.9"}, ""),
        ({"problem": "", "frames_seen": 0, "refused": 0, "refused_from": ""}, ""),
        ({"problem": "its port is taken", "refused": 2, "refused_from": "10.0.0.9"}, "its port is taken"),
    ],
)
def test_a_terminal_that_was_sent_away_and_never_called_is_told_to_shop_it(line, said):
    outbox = {"depth": 0, "oldest_s": 0, "quarantined": 0}
    told = lines_of(
        {
            "online": True,
            "outbox": outbox,
            "parked": 0,
            "returning": 0,
            "links_missing": [],
            "terminals": [{"terminal_no": "12345678", "line": line}],
        }
    )["12345678"]
    assert said in told
    assert bool(said) is bool(told)
