"""Is a mutated file of a day refused with our own error, or read whole, and never at length?

`MUTATIONS=1000000` tries so many of each; without it a few hundred. Alipay's and UnionPay's zips have tests
of their own.
"""

import os
import random
import re

import pytest
from cpu_time import cpu_time
from mutated import CARD, mutate
from night import ACQUIRER, DAY, WECHAT, NightDay

from settlement.reconcile.sources import acquirer_csv, wechat_bill
from settlement.reconcile.sources.text import Place
from subsidy.policy.model import Tender
from subsidy.strict.yaml_text import FileError

COUNT = int(os.environ.get("MUTATIONS", "500"))
MOST_CPU_S = 0.1
# In the middle of an order number it is none: nobody could tell it from the number.
_A_CARD = re.compile(rf"(?<![0-9A-Za-z]){CARD.decode()}(?![0-9A-Za-z])")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The two files of a day with sales, a void and a refund."""
    day = NightDay(tmp_path_factory.mktemp("day"))
    for tender in (Tender.CARD, Tender.QR_SCAN):
        day.sell(tender)
        day.sell_and_return(tender)
    day.sell_and_return(Tender.CARD, by_void=True)
    day.plain_sale()
    day.write_files()
    return {ACQUIRER: day.card_file(DAY).read_bytes(), WECHAT: day.wechat_file(DAY).read_bytes()}


@pytest.mark.parametrize(("source", "read"), [(ACQUIRER, acquirer_csv.read), (WECHAT, wechat_bill.read)])
def test_a_mutated_file_is_refused_or_adds_up_and_shows_no_card(source, read, files):
    right, place = files[source], Place(source, DAY, f"{source}.csv")
    assert read(right, place).lines
    chance = random.Random(source)
    longest, taken = 0.0, 0
    for _ in range(COUNT):
        mutated = mutate(chance, right)
        with cpu_time() as cost:
            try:
                found = read(mutated, place)
            except FileError as refused:
                shown = str(refused)
            else:
                shown = repr(found)
                taken += 1
                sales = sum(one.fen for one in found.lines if one.net_fen > 0)
                assert (sales, len(found.lines)) == (found.sale_fen, found.sales + found.backs)
        longest = max(longest, cost.s)
        assert _A_CARD.search(shown) is None, mutated
    print(f"{source}: {COUNT} tried, {taken} taken, {longest * 1000:.1f} ms the slowest")
    assert longest < MOST_CPU_S
    assert taken < COUNT
