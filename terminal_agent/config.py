"""What does this shop's configuration say?

One YAML file, read strictly: an unknown key, a code without quotes or a port that cannot be one is
refused with line and remedy. Relative paths are relative to the file. `config/agent.example.yaml`
shows every key.
"""

import re
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from catalog_sync.packs import read_text
from subsidy.masking import scrub
from subsidy.strict import yaml_text
from subsidy.strict.yaml_text import Node
from terminal_agent.channels.code_rules import read_rules
from terminal_agent.channels.codes import RULES, Rule, Wallet
from terminal_agent.channels.wallets import READERS, Channel
from terminal_agent.checkout.supervisor import LONGEST_NAME, problem_of_hash
from terminal_agent.terminals.drivers import DRIVERS
from terminal_agent.terminals.terminal import Called, Numbered, PortRefused, Reach, Terminal

_TERMINAL_NO = re.compile(r"[0-9A-Z]{8}", re.ASCII)
_LOOPBACK = ("127.0.0.1", "localhost")
_EMULATOR = "EMU"
_LONGEST_TILL = 32  # more is refused where a till names itself (`till/requests.py`)


class Config(msgspec.Struct, frozen=True):
    """The agent's configuration. `tills` maps a till to the terminal beside it.

    `channels` has each wallet whose payment codes this shop takes, `supervisors` the hash of
    each supervisor's PIN: without one nobody can allow a return. `traces` is the folder in which what passes
    on the terminals' lines is written down, masked; None, and nothing is. With less than `least_free_mib`
    free on the disk of `data` no subsidised sale begins.
    """

    centre: str
    data: Path
    host: str
    port: int
    training: bool
    hold_budget_s: float
    wait_s: int
    sync_every_s: float
    terminals: dict[str, Terminal]
    tills: dict[str, str]
    channels: dict[Wallet, Channel]
    supervisors: dict[str, str]
    payment_codes: tuple[Rule, ...]
    traces: Path | None = None
    cash: bool = False
    least_free_mib: int = 64

    @property
    def journal(self) -> Path:
        """Where the journal is."""
        return self.data / "journal.db"

    @property
    def device_key(self) -> Path:
        """Where the device's private key is."""
        return self.data / "device.key"


def read_config(path: Path) -> Config:
    """Read the configuration at `path` and the profiles it names. Raises FileError."""
    keys = yaml_text.read(read_text(path), str(path)).mapping(
        required=("centre", "data", "terminals", "tills"),
        optional=(
            "channels",
            "payment_codes",
            "listen",
            "training",
            "hold_budget_ms",
            "wait_s",
            "sync_every_ms",
            "supervisors",
            "traces",
            "cash",
            "least_free_mib",
        ),
    )
    training = keys["training"].flag() if "training" in keys else False
    terminals = _terminals(path, keys["terminals"], training=training)
    if not terminals:
        raise keys["terminals"].wrong("no terminal", "Add the shop's terminals")
    tills = {_till(till, node): _known(node, terminals) for till, node in keys["tills"].items()}
    if not tills:
        raise keys["tills"].wrong("no till", "Say which terminal stands beside which till")
    host, port = _listen(keys["listen"]) if "listen" in keys else ("127.0.0.1", 8610)
    return Config(
        centre=_centre(keys["centre"]),
        data=path.parent / keys["data"].text(),
        host=host,
        port=port,
        training=training,
        hold_budget_s=_integer(keys, "hold_budget_ms", 5000, 200, 30_000) / 1000,
        wait_s=_integer(keys, "wait_s", 25, 0, 60),
        sync_every_s=_integer(keys, "sync_every_ms", 5000, 100, 300_000) / 1000,
        terminals=terminals,
        tills=tills,
        channels=_channels(path, keys["channels"], training=training) if "channels" in keys else {},
        supervisors=_supervisors(keys["supervisors"]) if "supervisors" in keys else {},
        traces=path.parent / keys["traces"].text() if "traces" in keys else None,
        cash=keys["cash"].flag() if "cash" in keys else False,
        least_free_mib=_integer(keys, "least_free_mib", 64, 16, 1_000_000),
        payment_codes=_payment_codes(path, keys["payment_codes"]) if "payment_codes" in keys else RULES,
    )


def _payment_codes(path: Path, node: Node) -> tuple[Rule, ...]:
    file = path.parent / node.text()
    return read_rules(read_text(file), str(file))


def _terminals(path: Path, node: Node, *, training: bool) -> dict[str, Terminal]:
    found: dict[str, Terminal] = {}
    at_port: dict[str, str] = {}
    for number, one in node.items():
        found[number] = terminal = _terminal(path, number, one, training=training)
        if isinstance(terminal, Numbered):
            continue  # its port is its acquirer's, who speaks to many
        other = at_port.setdefault(terminal.port, number)
        if other != number:
            # Each sale at the one would be charged at the other, and voided because it is not the one asked.
            raise dict(one.items())["port"].wrong(
                f"terminal {other} is at this port", "Write the port that this terminal is at"
            )
    return found


def _terminal(path: Path, number: str, node: Node, *, training: bool) -> Terminal:
    keys = node.mapping(required=("driver", "port", "profile"), optional=("from",))
    driver = DRIVERS[keys["driver"].choice(tuple(DRIVERS))]
    if _TERMINAL_NO.fullmatch(number) is None:
        raise node.wrong(f"{number!r} is no terminal number", "Write the 8 characters on the terminal")
    if number.startswith(_EMULATOR) and not training:
        raise node.wrong(
            f"{number} is an emulator", "Name a real terminal, or set `training: true` where no money moves"
        )
    file = path.parent / keys["profile"].text()
    try:
        terminal = driver(keys["port"].text(), read_text(file), str(file))
    except PortRefused as refused:
        raise keys["port"].wrong(refused.problem, refused.remedy) from None
    if isinstance(terminal, Numbered):
        if terminal.number != number:
            raise keys["profile"].wrong(
                f"the profile is of terminal {terminal.number}", f"Give {number} a profile of its own"
            )
        if terminal.for_training_only and not training:
            raise keys["profile"].wrong(
                "the profile's pinpad is for training",
                "Name a real one, or set `training: true` where no money moves",
            )
    return _with_callers(terminal, node, keys)


def _with_callers(terminal: Terminal, node: Node, keys: dict[str, Node]) -> Terminal:
    """Return a terminal that calls us together with where it calls from: others must not be taken for it."""
    reach = terminal.reach if isinstance(terminal, Called) else Reach.NOBODY
    if "from" not in keys:
        if reach is Reach.NETWORK:
            raise node.wrong(
                "`from` is missing, and whoever reaches the port could be taken for the terminal",
                'Write the terminal\'s own address, as in `from: ["192.168.1.21"]`',
            )
        return terminal
    if reach is Reach.NOBODY or not isinstance(terminal, Called):
        raise keys["from"].wrong("this terminal does not call us", "Leave `from` out")
    callers = frozenset(_caller(one) for one in keys["from"].sequence())
    if not callers:
        raise keys["from"].wrong("nobody may call", "Write the terminal's own address")
    return terminal.called_from(callers)


def _caller(node: Node) -> str:
    try:
        address = IPv4Address(node.text())
    except ValueError:
        raise node.wrong("not an address", 'Write the terminal\'s own, as in "192.168.1.21"') from None
    if address.is_unspecified or address.is_multicast:
        raise node.wrong("no terminal has this address", 'Write its own, as in "192.168.1.21"')
    return str(address)


def _channels(path: Path, node: Node, *, training: bool) -> dict[Wallet, Channel]:
    found: dict[Wallet, Channel] = {}
    known = {wallet.value: wallet for wallet in READERS}
    for name, channel in node.items():
        if name not in known:
            raise channel.wrong(
                f"{name!r} is no channel that this version knows", f"Write one of: {', '.join(known)}"
            )
        file = path.parent / channel.mapping(required=("profile",))["profile"].text()
        found[known[name]] = READERS[known[name]](read_text(file), str(file), file.parent, training)
    return found


def _supervisors(node: Node) -> dict[str, str]:
    found = {}
    for name, pin in node.items():
        if not 1 <= len(name) <= LONGEST_NAME or scrub(name) != name or not name.isprintable():
            raise node.wrong("a name that may not be written down", "Write a short name or a staff number")
        found[name] = pin.text()
        problem = problem_of_hash(found[name])
        if problem is not None:
            raise pin.wrong(problem, "Make it with `terminal-agent pin-hash`")
    return found


def _centre(node: Node) -> str:
    url = node.text()
    remedy = 'Write it as in "https://centre.example"'
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not close, or a port that is none
        raise node.wrong("no address", remedy) from None
    if parts.username is not None or parts.password is not None:
        raise node.wrong("an address with a name or password in it", remedy)
    if not whole or parts.query or parts.fragment or not re.fullmatch(r"[\x21-\x7e]+", url, re.ASCII):
        raise node.wrong(f"{url!r} is no address", remedy)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise node.wrong("a centre over plain http", "Use https: only a centre on this host may do without")
    return url.rstrip("/")


def _listen(node: Node) -> tuple[str, int]:
    host, _, port = node.text().rpartition(":")
    if host not in _LOOPBACK or not re.fullmatch(r"[1-9][0-9]{0,4}", port, re.ASCII) or int(port) > 65_535:
        raise node.wrong("not a loopback address and port", 'Write it as in "127.0.0.1:8610"')
    return host, int(port)


def _till(name: str, node: Node) -> str:
    # A space of full width, as Chinese input methods write it, is one that a till can send.
    is_plain = name.replace("\u3000", " ").isprintable()
    if not 1 <= len(name) <= _LONGEST_TILL or not is_plain or name.isspace():
        raise node.wrong(f"{name!r} is no name of a till", 'Write 1 to 32 characters, as in "01"')
    return name


def _known(node: Node, terminals: dict[str, Terminal]) -> str:
    number = node.code()
    if number not in terminals:
        raise node.wrong(f"no terminal {number} above", "Name one of `terminals`")
    return number


def _integer(keys: dict[str, Node], name: str, default: int, least: int, most: int) -> int:
    return keys[name].integer(least, most) if name in keys else default
