"""What is in a file of price filings?

`prices.csv`: the highest price that a merchant has filed for a product.

    merchant,gtin,filed_price_yuan
    M001,6901234567892,4599.00

- merchant: an id from shops.yaml, imported before.
- gtin: a bar code of the product library, imported before.
- filed_price_yuan: yuan with two decimals, above zero.

A row replaces the filing of the same merchant and product; other filings stay as they are.
"""

from sqlalchemy import Connection

from settlement.sources import cells, take_in
from settlement.sources.csv_rows import CsvRow, Errors, read_rows
from settlement.sources.take_in import Look, Plan
from settlement.writer import store
from settlement.writer.batch import Rows
from settlement.writer.rows import FiledPrice, Merchant, Product
from subsidy.codes import gtin

COLUMNS = {"merchant": cells.identifier, "gtin": gtin.read, "filed_price_yuan": cells.yuan}


def read_prices(raw: bytes, file: str) -> Look:
    """Return what the file's bytes say, to be taken in. Raises FileErrors, and the look does."""
    errors = Errors(file)
    rows = read_rows(raw, errors, COLUMNS, key=("merchant", "gtin"))
    filed = [
        FiledPrice(row.values["merchant"], row.values["gtin"], row.values["filed_price_yuan"]) for row in rows
    ]

    def look(connection: Connection) -> Plan:
        _refuse_strangers(connection, rows, errors)
        errors.stop_if_any()
        return take_in.plan_of("prices", filed, take_in.load_existing(connection, filed))

    return look


def _refuse_strangers(connection: Connection, rows: list[CsvRow], errors: Errors) -> None:
    known = Rows()
    store.load(connection, {(Merchant, (row.values["merchant"],)): None for row in rows}, known)
    store.load(connection, {(Product, (row.values["gtin"],)): None for row in rows}, known)
    for row in rows:
        if known.get(Merchant, row.values["merchant"]) is None:
            errors.add(row.line, "merchant", "no such merchant", "Import shops.yaml with it first")
        if known.get(Product, row.values["gtin"]) is None:
            errors.add(row.line, "gtin", "not in the product library", "Import products.csv with it first")
