"""Where does the shipped code meet the world in here, and with what?

Each line below is one place at which a program touches clocks, threads, chance, a disk or a line. Nothing
else of it is changed. What is dear and always the same (reading a pack, making a PIN slow to guess) is done
once.
"""

import datetime
import functools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pysqlite3.dbapi2
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec.structs import replace

import settlement.keys
import settlement.system
import subsidy.seal
import terminal_agent.channels.alipay
import terminal_agent.channels.alipay_keys
import terminal_agent.channels.key_files
import terminal_agent.channels.unionpay
import terminal_agent.channels.unionpay_keys
import terminal_agent.channels.wechat
import terminal_agent.channels.wechat_keys
import terminal_agent.checkout.cash
import terminal_agent.checkout.supervisor
import terminal_agent.emulators.alipay_books
import terminal_agent.emulators.alipay_signing
import terminal_agent.emulators.books
import terminal_agent.emulators.host
import terminal_agent.emulators.host_books
import terminal_agent.emulators.host_line
import terminal_agent.emulators.line_terminal
import terminal_agent.emulators.unionpay_books
import terminal_agent.emulators.unionpay_signing
import terminal_agent.emulators.wechat_books
import terminal_agent.emulators.wechat_signing
import terminal_agent.journal.open
import terminal_agent.journal.watch
import terminal_agent.sync.centre
import terminal_agent.sync.device_key
import terminal_agent.sync.line
import terminal_agent.sync.schedule
import terminal_agent.system
import terminal_agent.terminals.direct.line
import terminal_agent.terminals.direct.terminal
import terminal_agent.terminals.link_serial
import terminal_agent.terminals.link_tcp
import terminal_agent.terminals.mis_call
import terminal_agent.terminals.mis_child
import terminal_agent.terminals.relay.forward
import terminal_agent.terminals.relay.observer
import terminal_agent.terminals.relay.understand
from settlement.writer import writer
from sim import cable, network, signatures, sockets, threads
from sim.cards import child
from sim.disk import real_connect
from sim.threads import Here
from sim.versions import OfTheHost
from subsidy.policy.model import Pack
from subsidy.policy.read_pack import read_packs
from terminal_agent.channels.unionpay_keys import UnionPayKeys
from terminal_agent.iso8583.codec import Codec
from terminal_agent.iso8583.dialect import Dialect
from terminal_agent.system import GrowingFile
from terminal_agent.terminals.direct.training_pinpad import TrainingPinpad
from terminal_agent.terminals.mis_fixed import MisTerminal

PIN = "824613"
_CHECKPOINT_S = 6 * 3600.0
Connect = Callable[..., Any]


class _Triggers:
    """Stands for APScheduler's: calls each job in turn, in a thread of the process that started it."""

    def __init__(self, **_: Any) -> None:
        self._jobs: list[tuple[Callable[[], None], float]] = []

    def add_job(self, job: Callable[[], None], _kind: str, *, seconds: float) -> None:
        # What looks every second looks as well every half minute where days pass.
        self._jobs.append((job, max(seconds, 30.0)))

    def start(self) -> None:
        for job, seconds in self._jobs:
            threads.threading.Thread(functools.partial(self._repeat, job, seconds)).start()

    @staticmethod
    def _repeat(job: Callable[[], None], seconds: float) -> None:
        while True:
            Here.scheduler.sleep(seconds)
            try:
                job()
            except Exception as wrong:  # as APScheduler does: the next one is called all the same
                Here.job_failed(wrong)


@functools.cache
def _packs(texts: tuple[tuple[str, str], ...]) -> dict[str, Pack]:
    return read_packs(dict(texts))


def _read_once(texts: dict[str, str]) -> dict[str, Pack]:
    return _packs(tuple(texts.items()))


_datetime = SimpleNamespace(datetime=threads.datetime, timedelta=datetime.timedelta, UTC=datetime.UTC)
"""Stands for the module, where certificates are made."""

_codecs: dict[str, Codec] = {}


def _codec_once(dialect: Dialect) -> Codec:
    if dialect.name not in _codecs:
        _codecs[dialect.name] = Codec(dialect)
    return _codecs[dialect.name]


# A drawer is asked often, as a cashier has only just spoken; here it may be a few seconds later.
_cash_clocks = replace(terminal_agent.checkout.cash.Cash.clocks, poll_every_s=4.0)
_triggers_on = functools.cache(terminal_agent.journal.watch._triggers_on)
_key_files = terminal_agent.channels.key_files
_key_of = UnionPayKeys.key_of
_read_private = functools.cache(_key_files.private_key)
_read_public = functools.cache(_key_files.public_key)


@functools.cache
def _private(file: Path) -> signatures.RsaPrivate:
    """Return a till's key, which signs as cheaply as the wallets' do."""
    return signatures.RsaPrivate(_read_private(file))


@functools.cache
def _public(file: Path) -> signatures.RsaPublic:
    return signatures.RsaPublic(_read_public(file))


def _public_in(certificate: x509.Certificate, file: Path) -> signatures.RsaPublic:
    return signatures.RsaPublic(_key_files.rsa_key_of(certificate, file))


_of_unionpay: dict[tuple[str, tuple[bytes, ...], datetime.date], signatures.RsaPublic | None] = {}


def _key_of_once(keys: UnionPayKeys, pem: str, at: datetime.datetime) -> signatures.RsaPublic | None:
    asked = (pem, tuple(one.fingerprint(SHA256()) for one in keys.middles), at.date())
    if asked not in _of_unionpay:
        found = _key_of(keys, pem, at)
        _of_unionpay[asked] = signatures.RsaPublic(found) if found else None
    return _of_unionpay[asked]


@contextmanager
def lent() -> Iterator[None]:
    """Lend the world to the programs until the block ends."""
    places: list[tuple[Any, str, Any]] = [
        (pysqlite3.dbapi2, "connect", _connect),
        (terminal_agent.sync.line, "BoundedSession", network.Session),
        *(
            (channel, "BoundedSession", network.Session)
            for channel in (
                terminal_agent.channels.wechat,
                terminal_agent.channels.alipay,
                terminal_agent.channels.unionpay,
            )
        ),
        (terminal_agent.terminals.link_serial, "serial", cable.serial),
        (terminal_agent.terminals.link_tcp, "socket", sockets.socket),
        (terminal_agent.terminals.direct.terminal, "Codec", _codec_once),
        (terminal_agent.terminals.relay.understand, "Codec", _codec_once),
        (terminal_agent.terminals.direct.line, "socket", sockets.socket),
        (terminal_agent.terminals.direct.line, "select", sockets.select),
        (TrainingPinpad, "_store", _may_die_at(TrainingPinpad._store, "the pinpad's memory")),
        (terminal_agent.emulators.host, "datetime", threads.datetime),
        (terminal_agent.emulators.host, "secrets", threads.secrets),
        (terminal_agent.emulators.host_books, "datetime", threads.datetime),
        (terminal_agent.emulators.host_line, "time", threads.time),
        (terminal_agent.emulators.line_terminal, "socket", sockets.socket),
        (terminal_agent.terminals.relay.forward, "socket", sockets.socket),
        # It is woken by what passes; it need not look every second whether something has.
        (terminal_agent.terminals.relay.observer, "_WAIT_S", 600.0),
        (terminal_agent.terminals.mis_call, "subprocess", child.subprocess),
        (terminal_agent.terminals.mis_child, "socket", sockets.socket),
        (terminal_agent.terminals.mis_child, "sys", child.sys),
        (MisTerminal, "take", child.saying_whose(MisTerminal.take)),
        (terminal_agent.sync.schedule, "BackgroundScheduler", _Triggers),
        (terminal_agent.sync.centre, "read_packs", _read_once),
        (settlement.keys, "Ed25519PrivateKey", signatures.Private),
        (terminal_agent.sync.device_key, "Ed25519PrivateKey", signatures.Private),
        (subsidy.seal, "Ed25519PublicKey", signatures.Public),
        (terminal_agent.channels.wechat_keys, "private_key", _private),
        (terminal_agent.channels.wechat_keys, "public_key", _public),
        (terminal_agent.channels.alipay_keys, "private_key", _private),
        (terminal_agent.channels.alipay_keys, "public_key", _public),
        (terminal_agent.channels.alipay_keys, "rsa_key_of", _public_in),
        (terminal_agent.channels.unionpay_keys, "private_key", _private),
        (UnionPayKeys, "key_of", _key_of_once),
        (terminal_agent.checkout.cash.Cash, "clocks", _cash_clocks),
        (terminal_agent.checkout.supervisor, "_fits", lambda _known, pin: pin.reveal() == PIN),
        (terminal_agent.emulators.books, "datetime", threads.datetime),
        (terminal_agent.emulators.wechat_books, "time", threads.time),
        (terminal_agent.emulators.alipay_books, "time", threads.time),
        (terminal_agent.emulators.unionpay_books, "time", threads.time),
        (terminal_agent.emulators.alipay_signing, "datetime", _datetime),
        (terminal_agent.emulators.unionpay_signing, "datetime", _datetime),
        (terminal_agent.emulators.wechat_signing, "datetime", _datetime),
        (terminal_agent.emulators.wechat_signing, "time", threads.time),
        (terminal_agent.emulators.wechat_signing, "secrets", threads.secrets),
        (terminal_agent.journal.watch, "_triggers_on", _triggers_on),
        (terminal_agent.journal.open, "migrations", OfTheHost()),
        (writer, "CHECKPOINT_EVERY_S", _CHECKPOINT_S),
        (os, "_exit", threads.end_process),
        *(
            (GrowingFile, name, _may_die_at(getattr(GrowingFile, name), "black box"))
            for name in ("append", "sync")
        ),
        *(
            (system, name, getattr(threads, name))
            for system in (settlement.system, terminal_agent.system)
            for name in ("time", "threading", "queue", "secrets")
        ),
    ]
    before = [(place, name, getattr(place, name)) for place, name, _ in places]
    try:
        for place, name, value in places:
            setattr(place, name, value)
        yield
    finally:
        for place, name, value in before:
            setattr(place, name, value)


def _may_die_at(write: Callable[..., None], what: str) -> Callable[..., None]:
    """Return what writes to a file, where a process may die first."""

    def wrapped(*parts: Any) -> None:
        if Here.scheduler.current is not None:
            Here.at_port(what)
        write(*parts)

    return wrapped


def _connect(path: str, **options: Any) -> Any:
    task = Here.scheduler.current
    disk = Here.disk_of(task.process) if task is not None else None
    return real_connect(path, **options) if disk is None else disk.connect(path, **options)
