"""Would the scanner find what must not be left? A canary is planted in each form in each kind of artefact."""

import base64
import gzip
import json
import random
import urllib.parse
import zlib

import pysqlite3.dbapi2 as sqlite
import pytest
from scanner import Hit, Scanner, Secret, looks_personal

plants_canaries = "to see them found"
CARD = "6231580209417756038"
SECRETS = {
    "card number": CARD,
    "short card number": "4929385710264834",
    "track": f"{CARD}=30125201000000000000",
    "identity number": "32120219900307118X",
    "phone number": "13987650412",
    "qualification code": "QC-017-fridge",
    "payment code": "284650193758201746",
    "key": "9f3c1d5e7a8b2c4d6e8f0a1b3c5d7e9f00112233445566778899aabbccddeeff",
}
SCANNER = Scanner([Secret(name, text) for name, text in SECRETS.items()])
NUMBERS = {name: text for name, text in SECRETS.items() if text[:8].isdigit()}


def bcd(text, padding="{}F"):
    digits = text.replace("=", "D").replace("X", "A")
    digits = padding.format(digits) if len(digits) % 2 else digits
    return bytes.fromhex(digits)


def small_window(content, level):
    packing = zlib.compressobj(level, zlib.DEFLATED, 12, 5)
    return packing.compress(content) + packing.flush()


def full_width(text):
    return "".join(chr(ord(c) + 0xFEE0) for c in text)


def grouped(text, mark):
    return mark.join(text[at : at + 4] for at in range(0, len(text), 4)).encode()


PLAIN_FORMS = {
    "ascii": lambda text: text.encode(),
    "capital letters": lambda text: text.upper().encode(),
    "small letters": lambda text: text.lower().encode(),
    "beside Chinese in GBK": lambda text: f"卡号{text}。".encode("gbk"),
    "utf-16 little endian": lambda text: text.encode("utf-16-le"),
    "utf-16 big endian": lambda text: text.encode("utf-16-be"),
    "utf-16 with its mark": lambda text: text.encode("utf-16"),
    "full-width in utf-8": lambda text: full_width(text).encode(),
    "full-width in GBK": lambda text: full_width(text).encode("gbk"),
    "full-width in utf-16": lambda text: full_width(text).encode("utf-16-le"),
    "groups with spaces": lambda text: grouped(text, " "),
    "groups with dashes": lambda text: grouped(text, "-"),
    "a dot after each": lambda text: ".".join(text).encode(),
    "a list of characters": lambda text: repr(list(text)).encode(),
    "hex, small": lambda text: text.encode().hex().encode(),
    "hex, capital": lambda text: text.encode().hex().upper().encode(),
    "hex with spaces": lambda text: text.encode().hex(" ").encode(),
    "hex at an odd place": lambda text: b"f" + text.encode().hex().encode() + b"0",
    "hex of utf-16": lambda text: text.encode("utf-16-le").hex().encode(),
    **{
        f"base64 at {before}": lambda text, before=before: base64.b64encode(b"?" * before + text.encode())
        for before in range(3)
    },
    **{
        f"base64 behind {before} letters": lambda text, before=before: (
            b"k" * before + base64.b64encode(text.encode() + b"~")
        )
        for before in range(1, 4)
    },
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(b"?>" + text.encode() + b"?>?"),
    "base64 in lines": lambda text: base64.encodebytes(b"x" * 50 + text.encode() + b"y" * 50),
    "base64 of base64": lambda text: base64.b64encode(b'{"body":"' + base64.b64encode(text.encode()) + b'"}'),
    "percent, every byte": lambda text: "".join(f"%{ord(c):02X}" for c in text).encode(),
    "percent, where needed": lambda text: urllib.parse.quote(f"a b {text}", safe="").encode(),
    "escapes of characters": lambda text: "".join(f"\\u{ord(c):04x}" for c in text).encode(),
    "zlib": lambda text: zlib.compress(text.encode() * 3),
    "zlib, fast": lambda text: zlib.compress(text.encode(), 1),
    **{
        f"zlib, small window, level {level}": lambda text, level=level: small_window(text.encode(), level)
        for level in (1, 5, 6, 9)
    },
    "gzip": lambda text: gzip.compress(text.encode()),
    "zlib cut off": lambda text: zlib.compress(text.encode() + random.Random(1).randbytes(9000))[:-20],
    "gzip in base64": lambda text: base64.b64encode(gzip.compress(text.encode())),
}
PACKED_FORMS = {
    "packed, padded behind": lambda text: bcd(text),
    "packed, padded behind with 0": lambda text: bcd(text, "{}0"),
    "packed, padded before": lambda text: bcd(text, "0{}"),
    "packed, its length before": lambda text: bytes((len(text),)) + bcd(text),
    "packed, in hex": lambda text: bcd(text).hex().encode(),
    "packed, in capital hex": lambda text: bcd(text).hex().upper().encode(),
    "packed, in base64": lambda text: base64.b64encode(bcd(text)),
    "packed, in base64 elsewhere": lambda text: base64.b64encode(b"..." + b"!" + bcd(text, "0{}") + b"!"),
    "packed, as Python writes bytes": lambda text: repr(bcd(text)).encode(),
    "packed, read as Latin-1": lambda text: bcd(text).decode("latin-1").encode(),
    "packed, read as Latin-1 in JSON": lambda text: json.dumps(bcd(text).decode("latin-1")).encode(),
    "packed, in gzip": lambda text: gzip.compress(bcd(text)),
}
FORMS = {**PLAIN_FORMS, **PACKED_FORMS}


def database(folder, planted, *, delete="", rows=3, log="DELETE"):
    """Make a database that holds `planted` in its last row, and run `delete`. Nothing is wiped."""
    connection = sqlite.connect(folder / "some.db", isolation_level=None)
    connection.execute("PRAGMA secure_delete=OFF")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute(f"PRAGMA journal_mode={log}")
    connection.execute("CREATE TABLE t (no INTEGER PRIMARY KEY, said BLOB) STRICT")
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO t VALUES (?, ?)", [(no, b"filler" * 20) for no in range(rows)])
    connection.execute("INSERT INTO t VALUES (1000, ?)", (b"before " + planted + b" after",))
    connection.execute("COMMIT")
    if delete:
        connection.execute(f"DELETE FROM t WHERE {delete}")
    return connection


def live_row(folder, planted):
    database(folder, planted).close()


def deleted_row(folder, planted):
    database(folder, planted, delete="no = 1000").close()


def row_on_a_free_page(folder, planted):
    connection = database(folder, planted, rows=400, delete="no >= 1")
    assert connection.execute("PRAGMA freelist_count").fetchone()[0] > 3
    assert connection.execute("SELECT count(*) FROM t").fetchone()[0] == 1
    connection.close()


def write_ahead_log(folder, planted):
    connection = database(folder, planted, log="WAL")
    kept = (folder / "some.db-wal").read_bytes()
    connection.close()  # which folds the log into the database and deletes it
    (folder / "some.db").unlink()
    (folder / "left.db-wal").write_bytes(kept)


def rollback_journal(folder, planted):
    database(folder, planted, log="PERSIST", delete="no = 1000").close()
    (folder / "some.db").unlink()
    assert [path.name for path in folder.iterdir()] == ["some.db-journal"]


def row_longer_than_a_page(folder, planted):
    """A long value is cut where a page ends: here in the middle of the canary."""
    connection = sqlite.connect(folder / "some.db", isolation_level=None)
    connection.execute("PRAGMA page_size=512")
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("CREATE TABLE t (no INTEGER PRIMARY KEY, said BLOB) STRICT")
    for no in range(30):
        value = b"." * (900 + 7 * no) + planted + b"." * 700
        connection.execute("INSERT INTO t VALUES (?, ?)", (no, value))
    connection.close()


def log_line(folder, planted):
    said = planted.decode("utf-8", "backslashreplace")
    line = json.dumps({"event": "till.bug", "said": said, "at": "2026-03-01T04:00:00Z"}, ensure_ascii=False)
    (folder / "agent.log").write_text(f'{{"event": "agent.started"}}\n{line}\n')


def traceback(folder, planted):
    (folder / "agent.log").write_text(f"Traceback\n  ValueError: {planted!r} is not a number\n")


def report(folder, planted):
    value = {"sales": [{"evidence": {"text": planted.decode("latin-1")}}]}
    (folder / "report.json").write_text(json.dumps(value, indent=2))


def transcript(folder, planted):
    notes = [
        {"at_ms": 1772337600000, "from": "terminal", "hex": part.hex()}
        for part in (b"\x06", b"\x02\x00\x40\x9f\x0b\x00\x13" + planted + b"\x9f\x0d\x03\x11")
    ]
    (folder / "transcript.jsonl").write_text("".join(json.dumps(note) + "\n" for note in notes))


def http_capture(folder, planted):
    sealed = json.dumps({"typ": "upload.v1", "payload": base64.b64encode(planted).decode(), "sig": "AA=="})
    body = sealed.encode()
    (folder / "wire.bin").write_bytes(b"POST /v1/records HTTP/1.1\r\ncontent-length: 9\r\n\r\n" + body)


def compressed_http_capture(folder, planted):
    body = gzip.compress(b'{"detail": "' + planted + b'"}')
    (folder / "wire.bin").write_bytes(b"HTTP/1.1 400\r\ncontent-encoding: gzip\r\n\r\n" + body)


def file_in_a_folder_below(folder, planted):
    (folder / "packs" / "older").mkdir(parents=True)
    (folder / "packs" / "older" / "x.part").write_bytes(planted)


ARTEFACTS = (
    live_row,
    deleted_row,
    row_on_a_free_page,
    row_longer_than_a_page,
    write_ahead_log,
    rollback_journal,
    log_line,
    traceback,
    report,
    transcript,
    http_capture,
    compressed_http_capture,
    file_in_a_folder_below,
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", SECRETS)
def test_each_secret_is_found_in_each_form(secret, form):
    if form in PACKED_FORMS and secret not in NUMBERS:
        return
    planted = b"\x17some noise " + FORMS[form](SECRETS[secret]) + b" more\x00"
    assert secret in {hit.name for hit in SCANNER.scan(planted, "here")}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("artefact", ARTEFACTS, ids=lambda one: one.__name__)
def test_a_card_number_is_found_in_each_artefact_in_each_form(tmp_path, artefact, form):
    artefact(tmp_path, FORMS[form](CARD))
    hits = SCANNER.scan_folder(tmp_path)
    assert "card number" in {hit.name for hit in hits}
    assert CARD not in repr(hits)


def test_a_hit_says_where_and_what_it_was_wrapped_in(tmp_path):
    (tmp_path / "wire.bin").write_bytes(gzip.compress(b"a: " + base64.b64encode(CARD.encode())))
    hits = SCANNER.scan_folder(tmp_path)
    assert Hit("wire.bin", "card number", "clear in base64 in compression") in hits


def test_a_secret_in_a_file_name_is_found(tmp_path):
    (tmp_path / f"{SECRETS['phone number']}.txt").write_text("")
    assert {hit.name for hit in SCANNER.scan_folder(tmp_path)} == {"phone number"}


def test_a_private_key_is_found_as_its_bytes_too():
    raw = bytes.fromhex(SECRETS["key"])
    for planted in (raw, base64.b64encode(b"PKCS#8 " + raw)):
        assert {hit.name for hit in SCANNER.scan(planted, "here")} == {"key"}


def test_only_the_files_that_were_named_are_left_out(tmp_path):
    (tmp_path / "below").mkdir()
    for place in (tmp_path, tmp_path / "below"):
        (place / "books.jsonl").write_text(CARD)
    hits = SCANNER.scan_folder(tmp_path, leave_out=[tmp_path / "books.jsonl"])
    assert {hit.where for hit in hits} == {"books.jsonl"}
    assert SCANNER.scan_folder(tmp_path, leave_out=list(tmp_path.rglob("*.jsonl"))) == []


@pytest.mark.parametrize("artefact", ARTEFACTS, ids=lambda one: one.__name__)
@pytest.mark.parametrize(
    "planted",
    [
        b"",
        (CARD[:6] + "*" * 9 + CARD[-4:]).encode(),
        CARD[:-2].encode(),
        CARD[2:].encode(),
        (CARD[:9] + "0" + CARD[10:]).encode(),
        b"139****0412 321202****123X",
        random.Random(7).randbytes(5_000),
    ],
    ids=[
        "nothing",
        "masked",
        "but the last two",
        "but the first two",
        "another digit",
        "masked others",
        "noise",
    ],
)
def test_what_is_not_the_secret_is_no_hit(tmp_path, artefact, planted):
    artefact(tmp_path, planted)
    assert SCANNER.scan_folder(tmp_path) == []


def test_a_secret_too_short_to_mean_anything_is_not_taken():
    with pytest.raises(AssertionError, match="too short"):
        Scanner([Secret("PIN", "123456")])


# What looks personal, whoever's it is.


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("card number", text) for text in (CARD, SECRETS["short card number"], "30569309025904")),
        ("card number", f'{{"said": "{CARD}"}}'),
        ("card number", f"card={CARD}, declined"),
        ("card number", f"{CARD}=30125201"),
        ("card number", "6231 5802 0941 7756 038"),
        ("card number", "4929-3857-1026-4834"),
        ("identity number", SECRETS["identity number"]),
        ("identity number", "id 32120219900307118x."),
        ("mobile number", SECRETS["phone number"]),
        ("mobile number", "tel:+8613987650412"),
        ("mobile number", "139 8765 0412"),
        ("mobile number", "电话13987650412。"),
    ],
)
def test_what_looks_personal_is_noticed(kind, text):
    assert looks_personal(f"first line\n{text}\n") == [f"{kind} at line 2"]


@pytest.mark.parametrize(
    "text",
    [
        "623158*********6038",
        "6231580209417756039",  # its check digit is wrong
        "321202199003071231",
        "321202199013071239",  # the thirteenth month, with the right check character
        "019ab123-4567-7890-8123-139876504120",  # a record id
        "2026-03-01T10:00:00.123456+08:00 1772337600000",
        "6901234500010",
        "12987650412",
        "139876504123",
        "x13987650412",
        "0.13987650412",
        "9f3c139876504127a8b2c4d6e8f0a1b3c5d7e9f00112233445566778899aabb",
        "139****0412",
    ],
)
def test_what_does_not_look_personal_is_let_be(text):
    assert looks_personal(text) == []


def test_a_number_of_our_own_is_let_be_and_no_other():
    assert looks_personal(CARD, own=[CARD]) == []
    assert looks_personal(f"{CARD} {SECRETS['phone number']}", own=[CARD]) == ["mobile number at line 1"]
    assert looks_personal(SECRETS["short card number"], own=[CARD]) == ["card number at line 1"]
