"""Which shop, people and goods does the story have? All made up, under the training programme."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

TERMINALS = ("EMU00001", "EMU00002")
TILLS = {"01": TERMINALS[0], "02": TERMINALS[1]}
ACQUIRER_MID, WECHAT_MCHID = "EMU000000000001", "EMU00000001"  # what the emulators call themselves
YEAR_PARTS = ("central=8500000.00", "province=500000.00", "city=500000.00", "county=500000.00")


@dataclass(frozen=True, slots=True)
class Product:
    """One product of the library, with its filed price."""

    gtin: str
    name: str
    category: str
    energy_level: int | None
    filed_yuan: str


def gtin(body: str) -> str:
    """Return 12 digits with their check digit."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return body + str(-total % 10)


def identity_no(number: int) -> str:
    """Return a made-up identity number with a right check character."""
    body = f"321202199{number % 10}0{1 + number % 9}{10 + number % 18:02d}{number % 1000:03d}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return (
        body
        + "10X98765432"[sum(int(digit) * weight for digit, weight in zip(body, weights, strict=True)) % 11]
    )


PRODUCTS = (
    Product(gtin("690123450001"), "双门冰箱 BCD-500", "FRIDGE", 1, "4599.00"),
    Product(gtin("690123450002"), "滚筒洗衣机 10kg", "WASHER", 1, "3299.00"),
    Product(gtin("690123450003"), "65寸电视", "TV", 1, "5999.00"),
    Product(gtin("690123450004"), "1.5匹空调", "AC", 1, "3199.00"),
    Product(gtin("690123450005"), "燃气热水器 16L", "WATER_HEATER", 1, "2499.00"),
    Product(gtin("690123450006"), "笔记本电脑 14寸", "COMPUTER", 1, "6999.00"),
    Product(gtin("690123450007"), "手机 256G", "PHONE", None, "4999.00"),
    Product(gtin("690123450008"), "老款冰箱 BCD-180", "FRIDGE", 3, "1899.00"),
)
PEOPLE = 60
SUPERVISOR, PIN = "manager-1", "824613"


def qualification(person: int, category: str) -> str:
    """Return the code that a person shows for a category."""
    return f"QC-{person:03d}-{category}"


def write_centre_files(folder: Path, port: int) -> None:
    """Write the centre's configuration and its reference data."""
    (folder / "settlement.yaml").write_text(
        f'programme: "TRAINING"\npolicies: "{ROOT / "config" / "policies"}"\n'
        f'database: books.db\nkeys: keys\nlisten: "127.0.0.1:{port}"\ntraining: true\nnight: night.yaml\n'
    )
    (folder / "night.yaml").write_text(
        "files: files\nsources:\n"
        + "".join(_source(f"acquirer-{one}", "acquirer_csv", "card", ACQUIRER_MID) for one in TERMINALS)
        + _source("wechat", "wechat_bill", "qr_scan", WECHAT_MCHID)
    )
    terminals = ", ".join(f'"{one}"' for one in TERMINALS)
    (folder / "shops.yaml").write_text(
        "merchants:\n"
        '  - merchant: "M001"\n    uscc: "91110000600037341L"\n    name: 示例电器有限公司\n    active: true\n'
        '    shops:\n      - shop: "S0031"\n        name: 示例电器海陵店\n        region: "321202"\n'
        f"        active: true\n        terminals: [{terminals}]\n"
    )
    with (folder / "products.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["gtin", "name", "brand", "category", "energy_level"])
        rows.writerows(
            [one.gtin, one.name, "示例牌", one.category, one.energy_level or ""] for one in PRODUCTS
        )
    with (folder / "prices.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["merchant", "gtin", "filed_price_yuan"])
        rows.writerows(["M001", one.gtin, one.filed_yuan] for one in PRODUCTS)
    categories = sorted({one.category for one in PRODUCTS})
    with (folder / "qualifications.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["qualification_code", "id_no", "category", "valid_from", "valid_until"])
        rows.writerows(
            [qualification(person, category), identity_no(person), category, "2025-01-01", "2099-12-31"]
            for person in range(PEOPLE)
            for category in categories
        )


TERMINAL_MS = {
    "ack_wait_ms": 500,
    "status_wait_ms": 1000,
    "answer_wait_ms": 1500,
    "answer_cap_ms": 6000,
    "host_timeout_ms": 1000,
    "poll_every_ms": 200,
    "poll_for_ms": 2000,
    "resolver_ms": 3000,
}
WECHAT_MS = {
    "connect_ms": 1000,
    "answer_wait_ms": 1500,
    "answer_cap_ms": 3000,
    "host_timeout_ms": 1000,
    "poll_every_ms": 100,
    "poll_for_ms": 1500,
    "reverse_not_before_ms": 300,
    "resolver_ms": 6000,
}


def with_values(profile: str, values: Mapping[str, object]) -> str:
    """Return a shipped profile with some of its single values changed, by key."""
    for key, value in values.items():
        shown = value if isinstance(value, int) else f'"{value}"'
        profile, found = re.subn(rf"(?m)^( *{key}: ).+?( +#.*)?$", rf"\g<1>{shown}", profile)
        assert found == 1, f"the profile has no {key}"
    return profile


def wechat_profile(ready: Mapping[str, str], clocks_ms: Mapping[str, int] = WECHAT_MS) -> str:
    """Return the shipped WeChat profile, pointed at an emulator as it has announced itself."""
    profile = (ROOT / "config" / "channels" / "wechat.yaml").read_text()
    mine = {
        "base_url": ready["base_url"],
        "appid": ready["appid"],
        "mchid": ready["mchid"],
        "certificate": ready["merchant_certificate"],
        "private_key": ready["merchant_key"],
    }
    key = f'  {ready["platform_key_id"]}: "{ready["platform_key"]}"'
    profile, found = re.subn(r"(?m)^  PUB_KEY_ID_0+: .+$", key, profile)
    assert found == 1, "the profile has no platform key"
    return with_values(profile, {**mine, **clocks_ms})


def _source(name: str, layout: str, tender: str, merchant_no: str) -> str:
    """Return one of the night's sources: a file a day, named after it."""
    return (
        f'  - source: {name.lower()}\n    layout: {layout}\n    file: "{name}-{{date}}.csv"\n'
        f'    tenders: [{tender}]\n    merchants:\n      "{merchant_no}": every_shop\n'
        "    longest_payment_s: 60\n    names_orders: true\n"
    )


def write_agent_files(
    folder: Path,
    port: int,
    centre_port: int,
    wechat: Mapping[str, str] | None = None,
    pin_hash: str | None = None,
) -> None:
    """Write the agent's configuration and the demo's own short profiles.

    A real profile waits a minute and more for people and hosts; here nobody does. `wechat` is how the
    emulated WeChat Pay has announced itself, if there is one; `pin_hash` is of the supervisor's PIN.
    """
    terminal = (ROOT / "config" / "terminals" / "stx_lrc.yaml").read_text()
    (folder / "demo-terminal.yaml").write_text(with_values(terminal, TERMINAL_MS))
    channels = ""
    if wechat is not None:
        (folder / "demo-wechat.yaml").write_text(wechat_profile(wechat))
        channels = "channels:\n  wechat:\n    profile: demo-wechat.yaml\n"
    supervisors = f'supervisors:\n  {SUPERVISOR}: "{pin_hash}"\n' if pin_hash else ""
    terminals = "".join(
        f'  "{one}":\n    driver: stx_lrc\n    port: "{folder / f"tty-{one}"}"\n'
        "    profile: demo-terminal.yaml\n"
        for one in TERMINALS
    )
    tills = "".join(f'  "{till}": "{terminal}"\n' for till, terminal in TILLS.items())
    (folder / "agent.yaml").write_text(
        f'centre: "http://127.0.0.1:{centre_port}"\ndata: agent-data\nlisten: "127.0.0.1:{port}"\n'
        f"training: true\nsync_every_ms: 300\nterminals:\n{terminals}{channels}{supervisors}tills:\n{tills}"
    )
