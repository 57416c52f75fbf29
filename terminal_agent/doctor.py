"""Is this host fit to sell? Each check says what it found and, when it is not well, what to do."""

from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import msgspec
import pysqlite3.dbapi2 as sqlite

from catalog_sync.private_file import bits_tell
from subsidy.strict.yaml_text import FileError
from terminal_agent.bounded_http import BoundedSession
from terminal_agent.channels.certificates import TOLD_BEFORE_DAYS, ends_of
from terminal_agent.channels.codes import Wallet
from terminal_agent.channels.key_files import KeyTrouble
from terminal_agent.channels.wallets import Channel
from terminal_agent.checkout.ports import Ask
from terminal_agent.config import Config
from terminal_agent.journal.hold import held
from terminal_agent.journal.mend import look
from terminal_agent.journal.open import NONE_THERE, JournalDamaged, JournalDown, is_there
from terminal_agent.sync.device_key import read_key
from terminal_agent.sync.line import NO_ANSWER, answers, session_to
from terminal_agent.system import SystemClock, free_mib
from terminal_agent.terminals.relay.forward import reaches
from terminal_agent.terminals.relay.terminal import RelayTerminal
from terminal_agent.terminals.terminal import TellsTrouble, Terminal
from terminal_agent.till.local import SAY_WHICH, lines_of, looks_of, port_problem, put_aside

_WITHIN_S = 3.0


class Finding(msgspec.Struct, frozen=True):
    """One check: whether it is well, what was found, and what to do."""

    check: str
    well: bool
    found: str
    remedy: str = ""


def examine(config: Config, *, agent_runs: bool, said: dict[str, Any] | None = None) -> list[Finding]:
    """Return the findings, in the order in which they should be mended.

    While the agent runs it owns the journal and the terminals, so its own status, `said`, speaks for them.
    """
    findings = [
        Finding(
            "SQLite",
            sqlite.sqlite_version_info >= (3, 51, 3),
            sqlite.sqlite_version,
            "Install pysqlite3 0.6.1",
        ),
        _disk(config),
    ]
    # Who has no journal, or one that is not enrolled, has no device yet.
    is_enrolled, journal = (True, []) if agent_runs else _journal(config.journal)
    findings += [_key(config.device_key, is_enrolled=is_enrolled), _centre(config.centre)]
    if not agent_runs:
        findings += journal
        findings += _terminals(config)
    if said is not None:
        findings += _outbox(said["outbox"]["quarantined"]) + _lines(said)
    for wallet, channel in config.channels.items():
        findings += [_channel(wallet, channel), *_certificates(wallet, channel, SystemClock().wall_ms())]
    return findings


def _lines(said: dict[str, Any]) -> list[Finding]:
    """Say what the agent finds of each line, and what was seen there that waits for somebody."""
    findings = [
        Finding(
            f"terminal {number}",
            not problem,
            problem or "its line passes here and is understood",
            "See docs/for-shop-it.md",
        )
        for number, problem in lines_of(said).items()
    ]
    seen_to = "Then say so: POST /v1/look-at/{no}/done (docs/for-shop-it.md)"
    findings += [
        Finding(f"seen at terminal {one.terminal_no}", False, one.in_words, seen_to.format(no=one.no))
        for one in looks_of(said)
    ]
    return findings


def running_out(config: Config, now_ms: int) -> list[str]:
    """Return what is said of each channel's certificate that runs out soon, or has."""
    found = []
    for wallet, channel in config.channels.items():
        with suppress(KeyTrouble):  # `doctor` says what is wrong with the files
            found += [
                f"{wallet}: {one.words(now_ms)}"
                for one in ends_of(channel.certificates)
                if one.days_left(now_ms) < TOLD_BEFORE_DAYS
            ]
    return found


def _certificates(wallet: Wallet, channel: Channel, now_ms: int) -> list[Finding]:
    """Say of each certificate when it ends; it is not well from 30 days before."""
    try:
        ends = ends_of(channel.certificates)
    except KeyTrouble:
        return []  # said of the keys already
    return [
        Finding(
            f"certificate {wallet} {one.name}",
            one.days_left(now_ms) >= TOLD_BEFORE_DAYS,
            one.words(now_ms),
            "Put the new one into its file: ours and its key in place of the old ones, the channel's in "
            "front of the old one. No restart is needed",
        )
        for one in ends
    ]


def _disk(config: Config) -> Finding:
    """Look whether there is room: four times what a sale needs to begin, so that somebody is told in time."""
    free, needed = free_mib(config.data), config.least_free_mib
    found = f"{free} MiB free; below {needed} no subsidised sale begins"
    return Finding("disk", free >= 4 * needed, found, f"Free space on the disk of {config.data}")


def _key(path: Path, *, is_enrolled: bool) -> Finding:
    try:
        read_key(path, is_enrolled=is_enrolled)
    except FileError as wrong:
        return Finding("device key", False, f"{wrong.file}: {wrong.problem}", wrong.remedy)
    who = " by this user only" if bits_tell() else "; by whom, its folder's permissions say"
    return Finding("device key", True, f"readable{who}")


def _journal(path: Path) -> tuple[bool, list[Finding]]:
    """Return whether it is a device's, as far as that is known, and what was found."""
    if not is_there(path):
        return False, [Finding("journal", False, f"there is none at {path}", NONE_THERE)]
    try:
        looked = look(path)
    except JournalDown as wrong:
        return True, [Finding("journal", False, str(wrong), "Stop whatever else has it open")]
    if not looked.is_enrolled:
        remedy = "Run `terminal-agent enrol CODE`"
        return False, [Finding("journal", False, "this host is not enrolled", remedy)]
    found = f"database {looked.database}, black box {looked.black_box}"
    findings = [Finding("journal", looked.is_well, found, "Run `terminal-agent mend`")]
    return True, findings + _outbox(looked.quarantined)


def _outbox(quarantined: int) -> list[Finding]:
    return [Finding("outbox", False, put_aside(quarantined), SAY_WHICH)] if quarantined else []


def _centre(url: str) -> Finding:
    said = answers(session_to(url, SystemClock()), url, _WITHIN_S)
    return Finding("centre", said == "yes", f"{url}: {said}", "Check network, proxy and address")


def _channel(wallet: Wallet, channel: Channel) -> Finding:
    """Look whether the channel's keys can be read and somebody answers at its address, whatever he says."""
    try:
        channel.try_keys()
    except KeyTrouble as wrong:
        return Finding(f"channel {wallet}", False, str(wrong), "Look at the channel's profile")
    said = answers(BoundedSession(SystemClock()), channel.base_url, _WITHIN_S)
    there = not said.startswith(NO_ANSWER)
    found = f"keys are readable, {channel.base_url} " + ("answers" if there else f"gives {said}")
    return Finding(f"channel {wallet}", there, found, "Check network and address: no proxy is used")


def _terminals(config: Config) -> list[Finding]:
    """Ask each terminal, unless somebody holds the journal who may be at work there."""
    with ExitStack() as until_asked:
        try:
            until_asked.enter_context(held(config.journal))
        except JournalDamaged:
            pass  # on which no agent runs
        except JournalDown as wrong:
            return [Finding("terminals", False, "not asked: an agent may be at work there", str(wrong))]
        return [_terminal(number, one) for number, one in config.terminals.items()]


def _terminal(number: str, terminal: Terminal) -> Finding:
    if isinstance(terminal, RelayTerminal):
        return _watched(number, terminal)
    # As for giving back: no shopper is asked for a card.
    ask = Ask(pay_ref="", amount_fen=1, operator="", till_no="", mark="")
    payment = terminal.payment(SystemClock())
    mark = payment.prepare(ask)
    trouble = payment.trouble if isinstance(payment, TellsTrouble) else ""
    return Finding(
        f"terminal {number}",
        mark is not None,
        (f"answers ({mark})" if mark is not None else f"no answer on {terminal.port}")
        + f"; {terminal.can.in_words()}",
        trouble or "Check cable or network, port, and that the terminal is in MIS mode",
    )


def _watched(number: str, terminal: RelayTerminal) -> Finding:
    """Look whether a terminal will find us, and we its acquirer. Whether its line can be read shows later."""
    acquirer = f"{terminal.profile.acquirer[0]}:{terminal.profile.acquirer[1]}"
    problem = port_problem(*terminal.listen) if terminal.listen is not None else None
    if problem is None and not reaches(terminal.profile.acquirer):
        problem = f"no answer from the acquirer at {acquirer}"
    found = problem or f"{terminal.port} is free for it, and its acquirer answers at {acquirer}"
    return Finding(f"terminal {number}", problem is None, found, "Check `port` and the profile's `acquirer`")
