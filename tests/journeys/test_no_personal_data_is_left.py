"""After everything that can happen to card and person, no clear number, code or key is left anywhere.

The terminals are badly set up: they put a clear card number, track, phone and identity number where none
belong. Their own files, the emulated acquirer's books and the transcripts of the serial lines, are the other
side's and hold it; they are left out, exactly those. So are the files in which the private keys are kept.
"""

import csv
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
import requests
from private_shop import PIN, TILLS, PrivateShop
from quiet_till import QuietTill
from scanner import Scanner, Secret, looks_personal
from story.count import record_of
from story.processes import wait_for
from story.shop_files import SUPERVISOR

from terminal_agent.emulators import answers as emulated
from terminal_agent.emulators import wire
from terminal_agent.emulators.books import Line
from terminal_agent.terminals import read_answer as reading

plants_canaries = "in shops whose masks and filters are taken away, to see what they hide found"

FORMS = ("text", "bcd", "hex")
CARD = "6231580209417756038"
TRACK = f";{CARD}=30125201000000000000?"
IDENTITY = "32120219900307118X"
PHONE = "13987650412"
PAY_CODE = "284650193758201746"
MASKED = "629999*********9384"
BY = {"operator": "cashier-1"}
ANOTHER_CARD = {**BY, "tender": {"kind": "card"}}


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory) -> PrivateShop:
    """A shop in which everything has happened and every process has ended."""
    with PrivateShop.open(tmp_path_factory.mktemp("private")) as shop:
        for name, text in (
            *(("card number", CARD), ("track", TRACK), ("identity number", IDENTITY)),
            *(("phone number", PHONE), ("payment code", PAY_CODE)),
        ):
            shop.keep_secret(name, text)
        code = shop.enrol_code()
        at_once((import_people, shop), (enrol, shop, code))
        shop.start_agent()
        at_once((read_by_the_agent, shop, "01"), (undone_by_the_agent, shop, "02"))
        goods_come_back(shop)
        refusals(shop)
        malformed_at_the_till(shop)
        malformed_at_the_centre(shop)
        killed_in_mid_payment(shop)
        look_at_everything(shop)
    shop.command("outbox", "ls")
    return shop


def at_once(*works):
    """Do different things at the same time."""
    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(*work) for work in works]:
            done.result()


def import_people(shop):
    """Import good rows and bad ones, then delete the files, as the operator is told to."""
    good = shop.folder / "qualifications.csv"
    bad = shop.folder / "bad-people.csv"
    with bad.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["qualification_code", "id_no", "category", "valid_from", "valid_until"])
        code = shop.keep_secret("qualification code", "QX-900-FRIDGE")
        rows.writerow([code, IDENTITY[:-1] + "1", "FRIDGE", "2025-01-01", "2099-12-31"])
        rows.writerow([IDENTITY, code, "FRIDGE", "2025-01-01", "2099-12-31"])
        rows.writerow([f"{IDENTITY} {PHONE}", IDENTITY, "FRIDGE", "2025-01-01", "2099-12-31"])
        rows.writerow([code, IDENTITY, IDENTITY, CARD, PHONE])
        rows.writerow([CARD, IDENTITY, "FRIDGE", "2099-01-01", "2025-12-31"])
    shop.settle("import", "qualifications", str(bad), code=3)
    shop.settle("import", "qualifications", str(good), "--dry-run")
    for _ in range(2):
        shop.settle("import", "qualifications", str(good))
    good.unlink()
    bad.unlink()


def enrol(shop, right):
    """Enrol with a wrong code, a card number, and at last the right code."""
    wrong = shop.keep_secret("one-time code", ("ABCDEFGH" * 4)[:26] + right[26:])
    for code in (wrong, CARD):
        shop.command("enrol", code, code=6)
    shop.command("enrol", right)


def read_by_the_agent(shop, till):
    """Sell, with clear data in the terminal's answer, then in its last-transaction answer."""
    terminal = shop.terminal(till)
    for form in FORMS:
        terminal.fault("clear_card", form=form)
        assert shop.post("/v1/sales", shop.sale(till=till))["state"] == "paid"
        terminal.fault("clear_card", form=form)
        terminal.fault("lost_answer")
        assert shop.post("/v1/sales", shop.sale("TV", till=till))["state"] == "paid"
    terminal.fault("clear_card", form="text")
    terminal.fault("unclear_code")
    assert shop.post("/v1/sales", shop.sale("COMPUTER", till=till))["state"] == "unknown"


def undone_by_the_agent(shop, till):
    """Be declined, pay with another card, be charged half and voided, all with clear data in the answers."""
    terminal = shop.terminal(till)
    for form in FORMS:
        terminal.fault("clear_card", form=form)
        terminal.fault("declined", code="51")
        declined = shop.post("/v1/sales", shop.sale("AC", till=till))
        assert declined["state"] == "not_paid"
        terminal.fault("clear_card", form=form)
        terminal.fault("noise")
        assert shop.post(f"/v1/sales/{declined['record_id']}/pay", ANOTHER_CARD)["state"] == "paid"

        terminal.fault("clear_card", form=form, on="sale")
        terminal.fault("clear_card", form=form, on="void")
        terminal.fault("partial")
        undone = shop.post("/v1/sales", shop.sale("WASHER", till=till))
        assert undone["state"] == "not_paid"
        shop.post(f"/v1/sales/{undone['record_id']}/stop", BY)


def goods_come_back(shop):
    """Return goods with the right PIN and with wrong ones, with personal numbers where a name belongs."""
    terminal = shop.terminal()
    sold = shop.post("/v1/sales", shop.sale("WASHER"))
    path = f"/v1/sales/{sold['record_id']}"
    asked = {**BY, "supervisor": SUPERVISOR, "supervisor_pin": PIN, "reason": "returned"}
    for name in ("operator", "supervisor", "reason"):
        for text in (CARD, IDENTITY, PHONE, TRACK):
            shop.post(f"{path}/return", {**asked, name: text}, status=400)
    for pin in (CARD, IDENTITY, shop.keep_secret("wrong PIN", "739164820357")):
        shop.post(f"{path}/return", {**asked, "supervisor_pin": pin}, status=403)
    shop.post(f"{path}/return", {**asked, "supervisor_pin": int(PIN)}, status=400)
    shop.post(f"{path}/return", {**asked, PIN: CARD}, status=400)
    for form in FORMS:
        terminal.fault("clear_card", form=form)
    assert shop.post(f"{path}/return", asked)["state"] == "returned"
    shop.post(f"{path}/reprint", {})
    slip = {**BY, "voucher_no": PHONE, "rrn": PHONE, "amount_fen": 1, "approved": True}
    shop.post(f"{path}/slip", slip, status=400)
    terminal.clear_faults()


def refusals(shop):
    """Be refused, with personal numbers in the codes' places."""
    body = shop.sale("PHONE")
    for code in (CARD, IDENTITY, PHONE, TRACK, shop.keep_secret("qualification code", "QX-901-PHONE")):
        sold = shop.post("/v1/sales", {**body, "qualification_code": code})
        assert [one["code"] for one in sold["reasons"]] == ["QUALIFICATION_UNKNOWN"]
    shop.post("/v1/quotes", {name: body[name] for name in ("item", "qualification_code")})
    shop.post("/v1/quotes", {"item": body["item"], "qualification_code": CARD})
    for item in ({"serial_no": TRACK}, {"serial_no": f"{CARD} {IDENTITY}"}):
        sold = shop.post("/v1/sales", shop.sale("PHONE", item=item))
        assert sold["reasons"][0]["code"] == "SERIAL_INVALID"
    for kind in ("qr_scan", "qr_show", "cash"):
        shop.post("/v1/sales", shop.sale("PHONE", tender={"kind": kind, "pay_code": PAY_CODE}))
    sold = shop.sale("PHONE", tender={"kind": "card", "pay_code": PAY_CODE})
    key = f"{CARD}-as-a-key"
    assert shop.post("/v1/sales", sold, key=key)["state"] == "paid"
    shop.post("/v1/sales", {**sold, "operator": "cashier-2"}, key=key, status=422)


def malformed_at_the_till(shop):
    """Put card, track, person and codes where they do not belong, one by one."""
    good = shop.sale("PHONE")
    for path, wrong in (
        ("operator", CARD),
        ("operator", IDENTITY),
        ("operator", PHONE),
        ("operator", TRACK),
        ("operator", {CARD: CARD}),
        ("till_no", CARD),
        ("item", CARD),
        ("item", [IDENTITY]),
        ("qualification_code", int(CARD)),
        ("qualification_code", f"{CARD} {PHONE}"),
        ("tender", {"kind": "card", "pay_code": f"{PAY_CODE} {PHONE}"}),
        ("tender", {"kind": "card", "pay_code": int(PAY_CODE)}),
        ("tender", {"kind": CARD}),
        ("tender", {"kind": "card", IDENTITY: PHONE}),
        (CARD, IDENTITY),
        ("expected_paid_fen", CARD),
        ("expected_paid_fen", int(CARD)),
    ):
        shop.post("/v1/sales", {**good, path: wrong}, status=None)
    for name, wrong in (("gtin", CARD), ("gtin", IDENTITY), ("initial_price_fen", int(CARD))):
        shop.post("/v1/sales", {**good, "item": {**good["item"], name: wrong}}, status=None)
    raw = json.dumps(good)
    for content in (
        raw[:-1],
        raw + TRACK,
        raw.replace("{", f'{{"{CARD}": 1, "{CARD}": 2, ', 1),
        TRACK,
        raw.replace('"card"', f'"card", "pay_code": "{PAY_CODE}", "pay_code": "{CARD}"'),
        f'{{"operator": "{CARD}\\ud800"}}',
        raw.replace("cashier-1", f"{CARD}\x07"),
    ):
        shop.post("/v1/sales", content.encode(), status=400)
    for path in (
        f"/v1/sales/{CARD}",
        f"/v1/sales/{IDENTITY}/events",
        f"/v1/{CARD}",
        f"/v1/sales/{PHONE}/pay",
    ):
        shop.send("GET", shop.url + path, status=None)
    shop.send("GET", f"{shop.url}/v1/sales?till_no={CARD}&open=1")
    shop.send("GET", f"{shop.url}/v1/sales?till_no={CARD}&till_no={PHONE}&open={IDENTITY}", status=400)
    shop.post(f"/v1/sales?wait_s={CARD}&{CARD}={PHONE}", good, status=400)
    shop.post("/v1/quotes", good, status=403, Origin=f"http://{CARD}", Cookie=f"card={CARD}")
    shop.post("/v1/sales", good, status=403, Host=f"{CARD}.example")
    shop.post("/v1/sales", good, status=400, key=f"{CARD} {PHONE} {IDENTITY}")


def malformed_at_the_centre(shop):
    """The same from somebody who is no device, and from an operator's program that slips."""
    wrong = {"v": 1, "code": CARD, "public_key": IDENTITY, "host": PHONE, "qualification_code": CARD}
    for path in ("/v1/enrolments", "/v1/facts", "/v1/holds", "/v1/records", f"/v1/holds/{CARD}/release"):
        for body in (wrong, {**wrong, "code": int(CARD)}, [CARD], TRACK):
            shop.send("POST", shop.centre_url + path, body, status=None)
        shop.send("POST", shop.centre_url + path, TRACK.encode(), status=None)
    for path in (
        f"/v1/records/{CARD}",
        f"/v1/holds?open={CARD}",
        f"/v1/devices?after={IDENTITY}",
        f"/{PHONE}",
    ):
        shop.send("GET", shop.centre_url + path, status=None, headers={"Authorization": f"Bearer {CARD}"})
        shop.send(
            "GET", shop.centre_url + path, status=None, headers={"Authorization": f"Bearer {shop.token}"}
        )


def killed_in_mid_payment(shop):
    """Kill the agent when the card was charged; what it reads after the restart is just as bad."""
    terminal = shop.terminal()
    terminal.fault("clear_card", form="text", times=2)
    terminal.fault("kill", point="after_approval", pid=shop.agent.pid)
    body = shop.sale()
    with suppress(requests.ConnectionError):
        shop.post("/v1/sales", body, key="killed-in-mid-payment", status=None)
    shop.agent.wait_dead()
    # The log of a database that nobody has closed: later it is gone.
    data, kept = shop.folder / "agent-data", shop.folder / "after-the-kill"
    shutil.copytree(data, kept, ignore=shutil.ignore_patterns("device.key"))
    shop.start_agent()
    wait_for(
        "the sale is resumed",
        lambda: shop.post("/v1/sales", body, key="killed-in-mid-payment")["state"] == "paid",
    )


def look_at_everything(shop):
    """Read everything that can be read while it runs, and wait until the centre has it all."""
    wait_for("the outbox drains", lambda: shop.read("/v1/status")["outbox"]["depth"] == 0)
    for path in ("/v1/outbox", "/openapi.json", *(f"/v1/sales?till_no={till}&open=1" for till in TILLS)):
        shop.read(path)
    for sold in {record_of(line["pay_ref"]) for line in shop.terminal().books() if line["kind"] != "void"}:
        shop.read(f"/v1/sales/{sold}")
        shop.ask_centre(f"/v1/records/{sold}")
    for path in (
        "/v1/funds",
        "/v1/ledger/trial-balance",
        "/v1/holds?open=1",
        "/v1/differences",
        "/v1/devices",
    ):
        shop.ask_centre(path)
    for path in ("/metrics", "/readyz", "/openapi.json"):
        shop.send("GET", shop.centre_url + path)
    shop.command("status", code=4)  # a sale is parked
    shop.command("doctor")
    shop.settle("ledger", "verify")


# What is left of it.


@pytest.fixture(scope="module")
def scanner(left_behind):
    return Scanner(left_behind.secrets)


def test_the_clear_data_was_really_there(left_behind):
    """Without this, finding nothing would mean nothing."""
    scanner = Scanner([one for one in left_behind.secrets if one.name.startswith("emulator's")])
    for transcript in left_behind.transcripts():
        hits = {(hit.name, hit.form.partition(" ")[0]) for hit in scanner.scan_file(transcript)}
        for kind in ("card number", "track", "identity number"):
            assert {(f"emulator's {kind}", "clear"), (f"emulator's {kind}", "packed")} <= hits
        assert ("emulator's phone number", "clear") in hits


def test_every_kind_of_artefact_is_there(left_behind):
    names = {str(path.relative_to(left_behind.folder)) for path in left_behind.folder.rglob("*")}
    for wanted in (
        *("books.db", "agent-data/journal.db", "after-the-kill/journal.db", "after-the-kill/journal.db-wal"),
        *("agent-data/journal.0001.box", "after-the-kill/journal.0001.box"),
        *("agent.log", "centre.log", "agent.out", "centre.out"),
    ):
        assert wanted in names
    assert any(name.startswith("agent-data/packs/") for name in names)
    assert len(list((left_behind.folder / "heard").iterdir())) > 100
    assert "upload.done" in (left_behind.folder / "agent.log").read_text(encoding="utf-8")


def test_the_shop_knows_a_card_by_its_first_six_and_last_four_digits(left_behind):
    """What came as text was read and masked, so the rest was not simply thrown away."""
    for database in ("agent-data/journal.db", "books.db"):
        path = left_behind.folder / database
        wal = path.with_name(path.name + "-wal")
        content = path.read_bytes() + (wal.read_bytes() if wal.exists() else b"")
        assert MASKED.encode() in content


def test_no_secret_is_left_anywhere(left_behind, scanner):
    leave_out = [*left_behind.of_the_other_side, *left_behind.key_files]
    assert scanner.scan_folder(left_behind.folder, leave_out) == []


def test_the_key_files_hold_their_own_key_and_nothing_else(left_behind, scanner):
    for path in left_behind.key_files:
        assert {hit.name for hit in scanner.scan_file(path)} == {f"the private key {path.name}"}


def test_nothing_that_was_said_looks_personal(left_behind):
    """Also what nobody thought of: any card, identity or mobile number in a log or an answer."""
    said = [
        *left_behind.folder.glob("*.log"),
        *left_behind.folder.glob("*.out"),
        *(left_behind.folder / "heard").iterdir(),
    ]
    found = {path.name: looks_personal(path.read_text(encoding="utf-8")) for path in said}
    assert {name: what for name, what in found.items() if what} == {}


def test_every_line_of_a_log_is_an_event_and_none_a_bug(left_behind):
    for path in left_behind.folder.glob("*.log"):
        events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert all(line["event"] for line in events)
        assert not [line for line in events if "exception" in line], path.name


# Would it be noticed? The same answers, read in this process and kept in a journal.

SALE = Line(
    **{"no": 1, "kind": "sale", "tid": "EMU00001", "mid": "EMU000000000001", "batch": "000001"},
    **{"trace": "000001", "rrn": "000000000001", "auth": "E00001", "fen": 309_920, "orig_trace": ""},
    **{
        "pay_ref": "",
        "at": "2026-03-01T12:00:00+08:00",
        "type": wire.SALE,
        "code": "00",
        "nonce": "NONCE001",
    },
)
MADE_UP = Scanner(
    Secret(name, text)
    for name, text in (
        ("card number", emulated.MADE_UP_CARD),
        ("track", emulated.MADE_UP_TRACK),
        ("phone number", emulated.MADE_UP_PHONE),
        ("identity number", emulated.MADE_UP_IDENTITY),
    )
)


def left_by(folder, form):
    """Return what is left in a journal of a sale whose answer held clear data."""
    said = reading.read_answer(wire.join(emulated.leak(emulated.answer_to(SALE), form)))
    with QuietTill(folder) as till:
        sold = till.post("/v1/sales", till.sale_body()).json()
        till.journal.paid(sold["record_id"], 1, sold["to_pay_fen"], said.evidence)
        shown = till.send("GET", f"/v1/sales/{sold['record_id']}").content
    (folder / "answer").write_bytes(shown)
    return {(hit.where, hit.name) for hit in MADE_UP.scan_folder(folder)}


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_left_of_an_answer_with_clear_data(tmp_path, form):
    assert left_by(tmp_path, form) == set()


def test_a_number_that_came_through_unmasked_is_not_kept(tmp_path, monkeypatch):
    """There are two nets: what does not look masked afterwards is dropped."""
    monkeypatch.setattr(reading, "mask_pan", lambda text: text)
    assert left_by(tmp_path, "text") == set()


def test_without_masking_the_card_number_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "mask_pan", lambda text: text)
    monkeypatch.setattr(reading, "_MASKED_PAN", re.compile(".*"))
    found = left_by(tmp_path, "text")
    assert {("journal.db", "card number"), ("answer", "card number")} <= found


@pytest.mark.parametrize(
    ("form", "found"),
    [("text", {"card number", "phone number", "identity number"}), ("bcd", {"card number"})],
)
def test_without_the_filter_of_texts_what_they_hide_is_found(tmp_path, monkeypatch, form, found):
    monkeypatch.setattr(reading, "free_text", lambda value: value.decode("latin-1"))
    assert {name for where, name in left_by(tmp_path, form) if where == "journal.db"} == found
