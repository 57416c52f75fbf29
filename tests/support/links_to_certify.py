"""Every kind of link beside its emulator, in a configuration that `terminal-agent certify` can be given."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from acquirer import VARIANTS, EmulatedAcquirer, spoken
from acquirer import profile_text as direct_text
from alipay import EmulatedAlipay
from emulator import MIS_FILE, NEXO_FILE, PROFILE_FILES, EmulatedTerminal, short_profile_text, short_text
from unionpay import EmulatedUnionPay
from watched_by_hand import BRISK, PATIENT, Waits, watched_by_hand
from wechat import EmulatedWechat

NUMBER = "EMU00001"
TERMINALS = (*PROFILE_FILES, "nexo", "mis", "direct", "relay", "relay/serial")
CHANNELS: Mapping[str, Callable[..., EmulatedWechat | EmulatedAlipay | EmulatedUnionPay]] = {
    "wechat": EmulatedWechat.start,
    "alipay": EmulatedAlipay.start,
    "unionpay": EmulatedUnionPay.start,
}
SHOWN = tuple(f"{one}/shown" for one in CHANNELS)
KINDS = (*TERMINALS, *CHANNELS, *SHOWN)
DIRECT_VARIANTS = tuple(f"direct/{one}" for one in VARIANTS if one != "cup")
"""The direct driver with the other MACs and sign-ins."""
RELAYS = {
    "relay": None,
    "relay/serial": Waits(),
    "relay/serial/patient": PATIENT,
    "relay/serial/brisk": BRISK,
}


class ToCertify(NamedTuple):
    """What the command is given: a configuration, the link's name in it, the emulator's control address.

    `terminal` is that of an emulated terminal which is only watched.
    """

    config: Path
    link: str
    control: str
    terminal: str = ""


@contextmanager
def to_certify(kind: str, folder: Path) -> Iterator[ToCertify]:
    """Start an emulator of this kind, its files in `folder`, and yield what names it."""
    wallet = kind.removesuffix("/shown")
    if wallet in CHANNELS:
        with CHANNELS[wallet](folder) as emulator:
            (folder / "channel.yaml").write_text(emulator.profile_text(), encoding="utf-8")
            channels = f"channels:\n  {wallet}:\n    profile: channel.yaml\n"
            config = write_config(
                folder, "serial_ecr", str(folder / "nobody"), short_profile_text(), channels
            )
            yield ToCertify(config, kind, emulator.control)
    elif kind.partition("/")[0] == "direct":
        variant = kind.partition("/")[2] or "cup"
        with EmulatedAcquirer.start(folder, mac=VARIANTS[variant][0]) as host:
            text = direct_text(NUMBER, memory=folder / "pinpad.trace", **spoken(variant, folder))
            yield ToCertify(write_config(folder, "iso8583_direct", host.address, text), NUMBER, host.control)
    elif kind in RELAYS:
        with watched_by_hand(folder, NUMBER, RELAYS[kind]) as both:
            config = write_config(folder, "relay", both.port, both.profile)
            yield ToCertify(config, NUMBER, both.control, both.terminal)
    else:
        on_network = kind in ("nexo", "mis")
        link = {"link": "127.0.0.1:0"} if on_network else {}
        with EmulatedTerminal.start(folder, work_ms=0, kind=kind, **link) as terminal:
            driver, port, text = {
                "nexo": ("nexo_tcp", f"{terminal.link}/{NUMBER}", short_text(NEXO_FILE)),
                "mis": ("mis_fixed", f"tcp:{terminal.link}", mis_text()),
            }.get(kind) or ("serial_ecr", str(terminal.link), short_profile_text(kind))
            yield ToCertify(write_config(folder, driver, port, text), NUMBER, terminal.control)


def mis_text() -> str:
    """Return the shipped profile with waits in which a child can start on a busy machine."""
    return short_text(MIS_FILE, answer_wait_ms=2000, answer_cap_ms=2000, status_wait_ms=3000)


def write_config(folder: Path, driver: str, port: str, profile: str, more: str = "") -> Path:
    """Write the configuration of a shop with one terminal; nothing of it runs."""
    (folder / "terminal.yaml").write_text(profile, encoding="utf-8")
    config = folder / "agent.yaml"
    config.write_text(
        'centre: "http://127.0.0.1:1"\ndata: data\nlisten: "127.0.0.1:1"\ntraining: true\n'
        f'terminals:\n  "{NUMBER}":\n    driver: {driver}\n    port: "{port}"\n    profile: terminal.yaml\n'
        f'tills:\n  "01": "{NUMBER}"\n{more}',
        encoding="utf-8",
    )
    return config
