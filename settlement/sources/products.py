"""What is in a file of products?

`products.csv`, the product library: one row for each bar code.

    gtin,name,brand,category,energy_level
    6901234567892,双门冰箱 BCD-500,示例牌,FRIDGE,1

- gtin: 8, 12, 13 or 14 digits with the right check digit.
- name, brand: text, up to 120 and 60 characters. A serial number is unique within its brand.
- category: a code as in the policy pack.
- energy_level: 1 to 5; empty where the category has none.

A row replaces the one with the same bar code; products that are not in the file stay as they are.
"""

from sqlalchemy import Connection

from settlement.sources import cells, take_in
from settlement.sources.csv_rows import Errors, read_rows, text_cell
from settlement.sources.take_in import Look, Plan
from settlement.writer.rows import Product
from subsidy.codes import gtin

COLUMNS = {
    "gtin": gtin.read,
    "name": text_cell(120),
    "brand": text_cell(60),
    "category": cells.category,
    "energy_level": cells.energy_level,
}


def read_products(raw: bytes, file: str) -> Look:
    """Return what the file's bytes say, to be taken in. Raises FileErrors."""
    errors = Errors(file)
    rows = read_rows(raw, errors, COLUMNS, key=("gtin",))
    errors.stop_if_any()
    products = [Product(**row.values) for row in rows]

    def look(connection: Connection) -> Plan:
        return take_in.plan_of("products", products, take_in.load_existing(connection, products))

    return look
