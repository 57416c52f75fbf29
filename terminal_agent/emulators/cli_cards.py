"""Which emulated card terminals and acquirers can be started from the command line, and how?"""

import re
from pathlib import Path
from typing import Annotated

import typer

from terminal_agent.emulators.books import BooksUnusable
from terminal_agent.emulators.faults import KNOWN, FaultRefused
from terminal_agent.emulators.host import Ways
from terminal_agent.emulators.host_faults import KNOWN as HOST_KNOWN
from terminal_agent.emulators.host_keys import MAC_KEYS, NO_MAC
from terminal_agent.emulators.run_host import Settings as HostSettings
from terminal_agent.emulators.run_host import run_host
from terminal_agent.emulators.run_line_terminal import Settings as LineSettings
from terminal_agent.emulators.run_line_terminal import run_line_terminal
from terminal_agent.emulators.run_network import NETWORK_KINDS, run_network
from terminal_agent.emulators.run_terminal import SERIAL_KINDS, Settings, run_terminal

_TERMINAL_NO = re.compile(r"EMU[0-9A-Z]{5}", re.ASCII)
_MERCHANT_NO = re.compile(r"[0-9A-Z]{15}", re.ASCII)
_TMK = re.compile(r"[0-9A-Fa-f]{32}", re.ASCII)
_TRAINING_TMK = "0123456789ABCDEFFEDCBA9876543210"
_ADDRESS = re.compile(r"([0-9A-Za-z.-]+):([1-9][0-9]{0,4})", re.ASCII)
_LOOPBACK = re.compile(r"127\.0\.0\.1:([0-9]{1,5})", re.ASCII)
_MOST_PORT = 65_535
_MACS = (*MAC_KEYS, NO_MAC)
_KINDS = (*SERIAL_KINDS, *NETWORK_KINDS)
_USAGE_ERROR = 2


def terminal(
    link: Annotated[Path, typer.Option(help="Path of the serial port; on the network, 127.0.0.1:PORT.")],
    books: Annotated[Path, typer.Option(help="The acquirer's books, one JSON line per transaction.")],
    control: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the control address; 0: any.")] = 0,
    terminal_no: Annotated[str, typer.Option(help="Eight characters that begin with EMU.")] = "EMU00001",
    merchant_no: Annotated[str, typer.Option(help="Fifteen characters.")] = "EMU000000000001",
    work_ms: Annotated[int, typer.Option(min=0, max=600_000, help="How long card, PIN and host take.")] = 300,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Go wrong at the next transaction: NAME or NAME:key=value,... Known: {', '.join(KNOWN)}"
        ),
    ] = None,
    transcript: Annotated[Path | None, typer.Option(help="Write every byte here, as JSON lines.")] = None,
    kind: Annotated[str, typer.Option(help=f"How it speaks: {', '.join(_KINDS)}.")] = "allinpay",
    certificate: Annotated[
        Path | None,
        typer.Option(help="On the network: speak TLS, with this certificate and its key in one file."),
    ] = None,
    clients: Annotated[
        Path | None,
        typer.Option(help="Want a certificate of the till's, issued by one of those in this file."),
    ] = None,
) -> None:
    """Be a card terminal and its acquirer on a pseudo serial port, or on the network.

    Prints one JSON line when it is ready and ends on SIGTERM or Ctrl-C. Example:

        terminal-agent emulate terminal --link /tmp/terminal --books /tmp/books.jsonl --fault lost_answer

    While it runs, its control address takes POST, GET and DELETE /faults, GET /books, POST /unplug, POST
    /settle, which closes the batch, and GET /file?date=2026-01-31, the acquirer's settlement file of a day:

        curl -H 'Content-Type: application/json' -d '{"fault": "declined", "code": "51"}' $CONTROL/faults
    """
    if _TERMINAL_NO.fullmatch(terminal_no) is None:
        raise typer.BadParameter("eight characters that begin with EMU", param_hint="--terminal-no")
    if _MERCHANT_NO.fullmatch(merchant_no) is None:
        raise typer.BadParameter("fifteen digits or capital letters", param_hint="--merchant-no")
    if kind not in _KINDS:
        raise typer.BadParameter(f"one of {', '.join(_KINDS)}", param_hint="--kind")
    known = NETWORK_KINDS[kind][1] if kind in NETWORK_KINDS else KNOWN
    address = _LOOPBACK.fullmatch(str(link))
    if kind in NETWORK_KINDS and (address is None or int(address[1]) > _MOST_PORT):
        raise typer.BadParameter('write it as in "127.0.0.1:4000", port 0: any', param_hint="--link")
    if certificate is not None and kind not in NETWORK_KINDS:
        raise typer.BadParameter("a serial line has no TLS", param_hint="--certificate")
    if clients is not None and certificate is None:
        raise typer.BadParameter("only with --certificate", param_hint="--clients")
    settings = Settings(
        link,
        books,
        control,
        terminal_no,
        merchant_no,
        work_ms,
        fault or [],
        transcript,
        kind,
        certificate,
        clients,
    )
    run = run_network if kind in NETWORK_KINDS else run_terminal
    try:
        run(settings)
    except FaultRefused as refusal:
        raise typer.BadParameter(f"{refusal}. Known: {', '.join(known)}", param_hint="--fault") from None
    except (BooksUnusable, OSError) as trouble:
        typer.echo(f"The emulator cannot go on: {trouble}", err=True)
        raise typer.Exit(_USAGE_ERROR if isinstance(trouble, BooksUnusable) else 1) from None


def acquirer(
    books: Annotated[Path, typer.Option(help="The acquirer's books, one JSON line per transaction.")],
    port: Annotated[int, typer.Option(min=0, max=65_535, help="TCP port on this host; 0: any.")] = 0,
    control: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the control address; 0: any.")] = 0,
    tmk: Annotated[str, typer.Option(help="The terminals' master key: 32 hex digits, of no real one.")] = (
        _TRAINING_TMK
    ),
    work_ms: Annotated[int, typer.Option(min=0, max=600_000, help="How long the host takes.")] = 50,
    mac: Annotated[str, typer.Option(help=f"How MACs are made: {', '.join(_MACS)}.")] = "cup",
    closed_first: Annotated[
        bool, typer.Option("--closed-first", help="Say 21 to every reversal in a closed batch, known or not.")
    ] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Go wrong at the next request: NAME or NAME:key=value,... Known: {', '.join(HOST_KNOWN)}"
        ),
    ] = None,
) -> None:
    """Be an acquirer's ISO 8583 host for terminals that begin with EMU, on a plain TCP line on this host.

    Prints one JSON line when it is ready, and ends on SIGTERM or Ctrl-C. Example:

        terminal-agent emulate acquirer --books /tmp/acquirer.jsonl --port 8583 --fault lost_answer

    While it runs, its control address takes POST, GET and DELETE /faults, GET /books, POST /settle, which
    closes a terminal's batch, GET /file?date=2026-01-31, the settlement file of a day, and
    GET /zm?date=2026-01-31&merchant_no=EMU000000000001, the same as UnionPay's ZM and ZME.
    """
    if _TMK.fullmatch(tmk) is None:
        raise typer.BadParameter("32 hex digits", param_hint="--tmk")
    if mac not in _MACS:
        raise typer.BadParameter(f"one of {', '.join(_MACS)}", param_hint="--mac")
    settings = HostSettings(
        port, books, control, bytes.fromhex(tmk), work_ms, fault or [], Ways(mac, closed_first)
    )
    try:
        run_host(settings)
    except FaultRefused as refusal:
        raise typer.BadParameter(f"{refusal}. Known: {', '.join(HOST_KNOWN)}", param_hint="--fault") from None
    except (BooksUnusable, OSError) as trouble:
        typer.echo(f"The emulator cannot go on: {trouble}", err=True)
        raise typer.Exit(_USAGE_ERROR if isinstance(trouble, BooksUnusable) else 1) from None


def line_terminal(
    acquirer: Annotated[
        str,
        typer.Option(help="Host and port that it calls, an agent's or a host's; with --serial the host's."),
    ],
    control: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the control address; 0: any.")] = 0,
    terminal_no: Annotated[str, typer.Option(help="Eight characters that begin with EMU.")] = "EMU00001",
    wait_ms: Annotated[
        int, typer.Option(min=1, max=600_000, help="How long it waits for its host.")
    ] = 60_000,
    serial: Annotated[
        Path | None,
        typer.Option(help="Have no network: hand the frames over a pseudo serial port at this path."),
    ] = None,
    ack_wait_ms: Annotated[
        int, typer.Option(min=1, max=60_000, help="With --serial, how long it waits for an ACK.")
    ] = 2000,
) -> None:
    """Be a card terminal that calls its acquirer itself, for a line that passes through an agent.

    Prints one JSON line when it is ready and ends on SIGTERM or Ctrl-C. Example:

        terminal-agent emulate line-terminal --acquirer 127.0.0.1:9101
        terminal-agent emulate line-terminal --acquirer 127.0.0.1:8583 --serial /tmp/terminal

    While it runs, its control address takes what a person would key in, and answers with the slip: POST
    /sale {"fen": 85000}, /void {"trace": "000001"}, /refund, /reverse; POST /noise {"hex": "00ff"}, /drop,
    /settle; GET /slips.
    """
    address = _ADDRESS.fullmatch(acquirer)
    if address is None or int(address[2]) > 65_535:
        raise typer.BadParameter("host and port, as in 127.0.0.1:9101", param_hint="--acquirer")
    if _TERMINAL_NO.fullmatch(terminal_no) is None:
        raise typer.BadParameter("eight characters that begin with EMU", param_hint="--terminal-no")
    called = (address[1], int(address[2]))
    try:
        run_line_terminal(LineSettings(called, control, terminal_no, wait_ms, serial, ack_wait_ms))
    except OSError as trouble:
        typer.echo(f"The emulator cannot go on: {trouble}", err=True)
        raise typer.Exit(1) from None
