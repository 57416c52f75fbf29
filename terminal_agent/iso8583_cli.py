"""How does shop IT look into an ISO 8583 message, and make one?

The sub-command `terminal-agent iso8583`. What it writes is held against pyiso8583 each time.
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import iso8583
import typer

from catalog_sync.packs import read_text
from subsidy.strict import json_bytes
from subsidy.strict.yaml_text import FileError
from terminal_agent.iso8583.codec import Codec
from terminal_agent.iso8583.dialect import MAC_FIELD, place_of, read_dialect
from terminal_agent.iso8583.faults import FrameFault, Iso8583Fault, KeyFault
from terminal_agent.iso8583.framing import FrameReader, close_frame, open_frame
from terminal_agent.iso8583.mac import MACS, Seal, fits

_FILE_INVALID, _LOOK_AT_IT = 3, 4
_AROUND = ("tpdu", "header")
_BITMAP = "p"

Fields = dict[str, str | dict[str, str]]

app = typer.Typer(
    name="iso8583",
    help="Look into an ISO 8583 message, or make one.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

DialectOption = Annotated[
    str, typer.Option("--dialect", help="A name such as unionpay_terminal, or a path that ends in .yaml.")
]
KeyOption = Annotated[str | None, typer.Option("--mac-key", help="The key of the MAC, as hex.")]
MacOption = Annotated[
    str | None, typer.Option("--mac", help=f"{', '.join(MACS)}. Without it, the dialect's own.")
]
FrameOption = Annotated[bool, typer.Option("--frame", help="With length, TPDU and header around it.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.callback()
def iso8583_() -> None:
    """Look into an ISO 8583 message, or make one. Nothing is sent anywhere."""


@app.command()
def encode(
    dialect: DialectOption,
    file: Annotated[Path, typer.Option("--file", help='JSON: {"t": "0200", "3": "000000", ...}.')],
    frame: FrameOption = False,
    mac_key: KeyOption = None,
    mac: MacOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a message as hex. Example: terminal-agent iso8583 encode --dialect mis_line --file m.json

    The file has the message type under "t" and each field under its number, as text or as its parts. A key
    fills field 64.
    """
    try:
        codec = _codec(dialect)
        fields = _read_fields(file)
        around = {name: _text(file, name, fields.pop(name)) for name in _AROUND if name in fields}
        mti, bitmap = _text(file, "t", fields.pop("t", "")), fields.pop(_BITMAP, None)
        if around and not frame:
            raise FileError(str(file), 1, next(iter(around)), "stands there without --frame", "Add --frame")
        body = _written(codec, mti, fields, _maker(codec, mac, mac_key))
        if bitmap not in (None, body[2:10].hex().upper()):
            raise FileError(str(file), 1, _BITMAP, "is not the bitmap of these fields", "Leave it out")
        written = close_frame(codec.dialect.frame, body, **around) if frame else body
    except FileError as wrong:
        _leave(str(wrong), as_json)
    except Iso8583Fault as wrong:
        _leave(f"{file}, {wrong}. Correct it in the file", as_json)
    shown = written.hex().upper()
    typer.echo(json.dumps({"hex": shown}) if as_json else shown)


@app.command()
def decode(
    dialect: DialectOption,
    file: Annotated[
        Path, typer.Option("--file", help="The message as hex; spaces and line ends are let be.")
    ],
    frame: FrameOption = False,
    clear_test_card: Annotated[
        bool, typer.Option("--clear-test-card", help="Show everything. For made-up cards only.")
    ] = False,
    mac_key: KeyOption = None,
    mac: MacOption = None,
    parts: Annotated[bool, typer.Option("--parts", help="Show what composed fields are made of.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print a message's fields. Example: terminal-agent iso8583 decode --dialect mis_line --file m.hex

    Card data is masked. With a key the MAC is checked: exit code 4 when it does not fit.
    """
    document: dict[str, object] = {}
    around = " with its length, TPDU and header" if frame else ", without length, TPDU and header"
    try:
        codec = _codec(dialect)
        content = _read_hex(file)
        if frame:
            envelope = open_frame(codec.dialect.frame, _one_frame(codec, content))
            content = envelope.body
            document = {name: getattr(envelope, name) for name in _AROUND if getattr(envelope, name)}
        message = codec.decode(content, clear_test_card=clear_test_card)
        document = {"t": message.mti, **document, **message.fields}
        if parts:
            document["parts"] = message.parts
        if (seal := _maker(codec, mac, mac_key)) is not None:
            document["mac_fits"] = fits(seal, content)
    except FileError as wrong:
        _leave(str(wrong), as_json)
    except Iso8583Fault as wrong:
        _leave(f"{file}, {wrong}. Is it one whole message of {dialect}{around}?", as_json)
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))
    if document.get("mac_fits") is False:
        typer.echo(f"field {MAC_FIELD}: the MAC does not fit this key", err=True)
        raise typer.Exit(_LOOK_AT_IT)


def _codec(name: str) -> Codec:
    place = place_of(name)
    return Codec(read_dialect(read_text(place), str(place)))


def _written(codec: Codec, mti: str, fields: Fields, seal: Seal | None) -> bytes:
    """Return the message's bytes, which pyiso8583 writes alike."""
    body = codec.encode(mti, fields, seal)
    texts = codec.decode(body, clear_test_card=True).fields
    theirs, _ = iso8583.encode({"t": mti, **texts}, codec.dialect.spec)
    assert bytes(theirs) == body, "our codec and pyiso8583 disagree"
    return body


def _maker(codec: Codec, mac: str | None, key: str | None) -> Seal | None:
    """Return what makes the MAC that the command line asks for, None when it asks for none."""
    if key is None:
        if mac is not None:
            raise typer.BadParameter("needs --mac-key", param_hint="--mac")
        return None
    name = codec.dialect.mac if mac is None else mac
    if name not in MACS:
        raise typer.BadParameter(f"write one of: {', '.join(MACS)}", param_hint="--mac")
    try:
        seal = partial(MACS[name], bytes.fromhex(key))
        seal(b"whether the key has the right size")
    except ValueError:
        raise typer.BadParameter("not hex", param_hint="--mac-key") from None
    except KeyFault as wrong:
        raise typer.BadParameter(f"{wrong.problem} ({name})", param_hint="--mac-key") from None
    return seal


def _read_fields(file: Path) -> Fields:
    raw = read_text(file).encode()
    try:
        return json_bytes.decode(raw, Fields)
    except json_bytes.NotStrict as wrong:
        remedy = 'Write one object of texts, as {"t": "0200", "3": "000000"}'
        raise FileError(str(file), 1, wrong.where, wrong.problem, remedy) from None


def _text(file: Path, name: str, value: str | Mapping[str, str]) -> str:
    if not isinstance(value, str):
        raise FileError(str(file), 1, name, "not a text", "Write digits in quotes")
    return value


def _read_hex(file: Path) -> bytes:
    try:
        return bytes.fromhex(read_text(file))
    except ValueError:
        raise FileError(
            str(file), 1, "", "not hex", "Write the bytes as pairs of 0 to 9 and A to F"
        ) from None


def _one_frame(codec: Codec, content: bytes) -> bytes:
    reader = FrameReader(codec.dialect.frame)
    frames = reader.feed(content)
    if len(frames) != 1 or reader.waits_for_more:
        raise FrameFault("frame", "its length does not fit what is there", 0)
    return frames[0]


def _leave(sentence: str, as_json: bool) -> NoReturn:
    typer.echo(sentence, err=True)
    if as_json:
        typer.echo(json.dumps({"error": sentence, "exit_code": _FILE_INVALID}, ensure_ascii=False))
    raise typer.Exit(_FILE_INVALID)
