"""Whose payment codes a shop takes stands in agent.yaml; a wrong word there is refused where it stands."""

from pathlib import Path

import pytest
import wechat as emulated
from typer.testing import CliRunner

from subsidy.strict.yaml_text import FileError
from terminal_agent import doctor
from terminal_agent.channels.codes import Wallet
from terminal_agent.cli import app
from terminal_agent.config import read_config

ROOT = Path(__file__).resolve().parents[2]
CHANNELS = "channels:\n  wechat:\n    profile: wechat.yaml\n"
REST = """\
centre: "https://centre.example"
data: data
training: false
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
    """Write a configuration beside good profiles."""
    (tmp_path / "profile.yaml").write_bytes((ROOT / "config" / "terminals" / "stx_lrc.yaml").read_bytes())
    (tmp_path / "wechat.yaml").write_text(emulated.profile_text(), encoding="utf-8")

    def write(channels=CHANNELS, rest=REST):
        path = tmp_path / "agent.yaml"
        path.write_text(channels + rest, encoding="utf-8")
        return path

    return write


def refused(path):
    """Return what is wrong with a configuration, having seen that a command says the same and ends with 3."""
    with pytest.raises(FileError) as wrong:
        read_config(path)
    done = CliRunner().invoke(app, ["enrol", "CODE", "--dry-run", "--config", str(path)])
    assert (done.exit_code, done.stderr.strip()) == (3, str(wrong.value))
    assert wrong.value.remedy
    return wrong.value


def test_a_shop_takes_the_codes_of_the_channels_it_names(written, tmp_path):
    channel = read_config(written()).channels[Wallet.WECHAT]
    assert channel.base_url == "https://api.mch.weixin.qq.com"
    assert channel.profile.keys.private_key == tmp_path / "keys" / "apiclient_key.pem"


def test_a_shop_that_names_none_takes_cards_only(written):
    assert read_config(written(channels="")).channels == {}


@pytest.mark.parametrize(
    ("channels", "line", "said"),
    [
        ("channels:\n  cash:\n    profile: wechat.yaml\n", 3, "is no channel"),
        ("channels:\n  WECHAT:\n    profile: wechat.yaml\n", 3, "is no channel"),
        ("channels:\n  wechat: wechat.yaml\n", 2, ""),
        ("channels:\n  wechat:\n    profile: wechat.yaml\n    timeout: 5\n", 4, "timeout"),
        ("channels:\n  wechat: {}\n", 2, "profile is missing"),
        (CHANNELS + CHANNELS, 4, "twice"),
    ],
)
def test_what_cannot_be_a_channel_is_refused_with_its_line(channels, line, said, written):
    wrong = refused(written(channels))
    assert wrong.line == line
    assert said in wrong.problem


def test_what_is_wrong_in_a_profile_is_said_of_the_profile(written, tmp_path):
    profile = tmp_path / "wechat.yaml"
    profile.write_text(emulated.profile_text(mchid="no number"), encoding="utf-8")
    assert refused(written()).file == str(profile)
    profile.unlink()
    assert refused(written()).file == str(profile)


def test_an_emulated_channel_is_taken_for_training_only(written, tmp_path):
    text = emulated.profile_text(mchid="EMU00000001")
    (tmp_path / "wechat.yaml").write_text(text, encoding="utf-8")
    assert "training: true" in refused(written()).remedy
    path = written(rest=REST.replace("training: false", "training: true"))
    assert read_config(path).channels[Wallet.WECHAT].profile.mchid == "EMU00000001"


def examined(path):
    """Return what the doctor finds of the channel, the agent's own parts aside."""
    found = doctor.examine(read_config(path), agent_runs=True)
    return next(one for one in found if one.check == "channel wechat")


def test_the_doctor_misses_the_merchants_key_files(written):
    found = examined(written())
    assert (found.well, "apiclient_key.pem" in found.found, bool(found.remedy)) == (False, True, True)


def test_the_doctor_misses_a_channel_that_does_not_answer(written, tmp_path):
    with emulated.EmulatedWechat.start(tmp_path) as wechat:
        text = wechat.profile_text()
        path = written(rest=REST.replace("training: false", "training: true"))
        (tmp_path / "wechat.yaml").write_text(text, encoding="utf-8")
        assert examined(path).well
    found = examined(path)
    assert (found.well, "no answer" in found.found) == (False, True)
