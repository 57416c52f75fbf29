"""Reference data for tests: shops, products, prices and qualifications that can be true, of nobody.

Numbers have right check digits. The people are invented: sequence numbers of one day in one county.
"""

from pathlib import Path

from stdnum import ean
from stdnum.cn import uscc

MERCHANT = "M001"
SHOP = "S0031"
OTHER_SHOP = "S0032"
TERMINAL = "EMU00001"
OTHER_TERMINAL = "EMU00002"
TERMINAL_OF_OTHER_SHOP = "EMU00003"
PEOPLE = 40

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643


def gtin(number: int) -> str:
    """Return the bar code of product `number`."""
    body = f"690123{number:06d}"
    return body + ean.calc_check_digit(body)


FRIDGE = gtin(1)
AC = gtin(2)
PHONE = gtin(3)
LEVEL_3 = gtin(4)
NOT_FILED = gtin(5)
NOT_LISTED = gtin(99)
FILED_FEN = 459_900


def identity_no(person: int) -> str:
    """Return the identity number of an invented person."""
    body = f"32120219900307{person % 1000:03d}"
    rest = sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True)) % 11
    return body + "10X98765432"[rest]


def code(person: int, category: str = "FRIDGE") -> str:
    """Return the qualification code of a person for a category."""
    return f"TRAIN-{category}-{person:04d}"


def credit_code(number: int) -> str:
    """Return the unified social credit code of an invented merchant."""
    body = f"91321202MA1XX{number:04d}"
    return body + uscc.calc_check_digit(body)


SHOPS = f"""\
merchants:
  - merchant: "{MERCHANT}"
    uscc: "{credit_code(1)}"
    name: 示例电器有限公司
    active: true
    shops:
      - shop: "{SHOP}"
        name: 示例电器海陵店
        region: "321202"
        active: true
        terminals: ["{TERMINAL}", "{OTHER_TERMINAL}"]
      - shop: "{OTHER_SHOP}"
        name: 示例电器高港店
        region: "321203"
        active: true
        terminals: ["{TERMINAL_OF_OTHER_SHOP}"]
  - merchant: "M002"
    uscc: "{credit_code(2)}"
    name: 停业电器有限公司
    active: false
    shops:
      - shop: "S0041"
        name: 停业电器店
        region: "321202"
        active: true
        terminals: ["EMU00004"]
"""

PRODUCTS = f"""\
gtin,name,brand,category,energy_level
{FRIDGE},双门冰箱 BCD-500,示例牌,FRIDGE,1
{AC},变频空调 KFR-35,示例牌,AC,1
{PHONE},手机 X1,样品牌,PHONE,
{LEVEL_3},双门冰箱 BCD-300,示例牌,FRIDGE,3
{NOT_FILED},双门冰箱 BCD-400,示例牌,FRIDGE,2
"""

PRICES = f"""\
merchant,gtin,filed_price_yuan
{MERCHANT},{FRIDGE},4599.00
{MERCHANT},{AC},3299.00
{MERCHANT},{PHONE},3999.00
{MERCHANT},{LEVEL_3},2599.00
"""


def qualifications() -> str:
    """Return codes for every invented person, for a fridge, an air conditioner and a phone each."""
    lines = ["qualification_code,id_no,category,valid_from,valid_until"]
    for person in range(PEOPLE):
        lines += [
            f"{code(person, category)},{identity_no(person)},{category},2025-01-01,2098-12-31"
            for category in ("FRIDGE", "AC", "PHONE")
        ]
    # One whose time is over.
    lines.append(f"{code(999)},{identity_no(999)},FRIDGE,2025-01-01,2025-01-31")
    return "\n".join(lines) + "\n"


def write(folder: Path) -> dict[str, Path]:
    """Write the four files into `folder` and return them by what `settlement import` calls them."""
    texts = {
        "shops": ("shops.yaml", SHOPS),
        "products": ("products.csv", PRODUCTS),
        "prices": ("prices.csv", PRICES),
        "qualifications": ("qualifications.csv", qualifications()),
    }
    files = {}
    for kind, (name, text) in texts.items():
        files[kind] = folder / name
        files[kind].write_text(text, encoding="utf-8")
    return files
