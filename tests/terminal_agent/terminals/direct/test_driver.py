"""What the driver believes, in which order it speaks, and what goes over the line."""

import select
import socket
import threading

import msgspec
import pytest
from acquirer import EmulatedAcquirer, direct_terminal, new_number
from iso8583_messages import shipped

from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Say
from terminal_agent.emulators.answers import MADE_UP_CARD
from terminal_agent.iso8583.codec import Codec
from terminal_agent.iso8583.framing import FrameReader, open_frame
from terminal_agent.terminals.direct.driver import Settled
from terminal_agent.terminals.direct.messages import Totals, read_back_mark, read_sale_mark
from terminal_agent.terminals.direct.pinpad import CardData, PinpadFault

CARD_DATA = (MADE_UP_CARD, MADE_UP_CARD[6:15], "3012520100000000")


class Tap:
    """A line through which everything passes; `heard` has each request of the terminal, in clear."""

    def __init__(self, to: str) -> None:
        self._to = to
        self._codec = Codec(shipped())
        self.heard = []
        self.answer = lambda message, frame: frame
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _serve(self):
        host, _, port = self._to.rpartition(":")
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            with near, socket.create_connection((host, int(port)), timeout=5) as far:
                request = near.recv(65536)
                if not request:
                    continue
                (content,) = FrameReader(self._codec.dialect.frame).feed(request)
                envelope = open_frame(self._codec.dialect.frame, content)
                message = self._codec.decode(envelope.body, clear_test_card=True)
                self.heard.append(message)
                far.sendall(request)
                ready, _, _ = select.select([near, far], [], [], 5)
                if far in ready:  # else the terminal has hung up first
                    near.sendall(self.answer(message, far.recv(65536)))

    def said(self, mti):
        """Return the fields of every request of this type."""
        return [one.fields for one in self.heard if one.mti == mti]


@pytest.fixture
def tap(acquirer):
    with Tap(acquirer.address) as tap:
        yield tap


@pytest.fixture
def tapped(tap, tmp_path):
    return direct_terminal(tap.address, tmp_path)


def test_it_signs_in_once_and_asks_whether_the_host_is_there_before_each_sale(tap, tapped, sell):
    sell(at=tapped)
    sell(at=tapped)
    assert [one.mti for one in tap.heard] == ["0800", "0200", "0820", "0200"]


def test_no_number_is_used_twice_and_the_mark_has_those_of_the_sale(tap, tapped, sell):
    asks = [sell(at=tapped)[0] for _ in range(3)]
    traces = [one.fields["11"] for one in tap.heard]
    assert len(set(traces)) == len(traces)
    marks = [read_sale_mark(ask.mark) for ask in asks]
    assert [(one.batch, one.trace) for one in marks] == [
        (one["60"][2:8], one["11"]) for one in tap.said("0200")
    ]


def test_the_mark_and_what_is_kept_of_a_sale_say_nothing_of_the_card(tapped, sell):
    ask, answer = sell(at=tapped)
    shown = f"{ask} {answer} {msgspec.json.encode(answer)}"
    assert [one for one in CARD_DATA if one in shown] == []
    assert answer.evidence.masked_pan == "629999*********9384"


@pytest.mark.parametrize(
    ("fault", "options", "reason"),
    [
        ("lost_answer", {}, "98"),
        ("wrong_mac", {}, "A0"),
        ("no_mac", {}, "A0"),
        ("unclear_code", {"code": "96"}, "06"),
        ("partial", {}, "06"),
    ],
)
def test_a_reversal_repeats_the_sale_without_track_and_pin_and_says_why(
    fault, options, reason, acquirer, tap, tapped, prepared
):
    ask = prepared(at=tapped)
    acquirer.fault(fault, **options)
    taken = tapped.take(ask)
    assert tapped.reverse(ask, taken.evidence).say is Say.APPROVED
    (sale,), (reversal,) = tap.said("0200"), tap.said("0400")
    same = ("2", "3", "4", "11", "14", "22", "25", "41", "42", "49", "57", "60")
    assert {key: reversal[key] for key in same} == {key: sale[key] for key in same}
    assert reversal["39"] == reason
    assert {"26", "35", "52", "53"} & reversal.keys() == set()
    assert {"26", "35", "52", "53"} <= sale.keys()
    assert reversal.get("38") == (taken.evidence.auth or None)


def test_a_yes_without_the_right_mac_is_no_yes_and_keeps_nothing_of_it(acquirer, tapped, prepared):
    for fault in ("wrong_mac", "no_mac"):
        ask = prepared(at=tapped)
        acquirer.fault(fault)
        answer = tapped.take(ask)
        assert (answer.say, answer.approved_fen) == (Say.UNCLEAR, None)
        assert answer.evidence == Evidence(code="A0", text="MAC 校验失败")
        assert tapped.reverse(ask, answer.evidence).say is Say.APPROVED


def test_a_pinpad_that_goes_away_after_the_request_has_left_makes_no_no(acquirer, driver, prepared):
    ask = prepared()
    pinpad = driver._pinpad
    usual, sealed = pinpad.seal, []

    def once(data):
        if sealed:
            raise PinpadFault("unplugged")
        sealed.append(data)
        return usual(data)

    pinpad.seal = once
    assert driver.take(ask).say is Say.UNCLEAR
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen)]
    assert driver.reverse(ask, Evidence()).say is Say.UNCLEAR
    pinpad.seal = usual
    assert driver.reverse(ask, Evidence()).say is Say.APPROVED


@pytest.mark.parametrize(
    "gone", ["card_data", "seal", "read_card", "next_trace"], ids="the pinpad fails at {}".format
)
def test_a_pinpad_that_is_away_before_that_is_a_no(gone, acquirer, driver, prepared, ask_for):
    ask = prepared()

    def fails(*_):
        raise PinpadFault("unplugged")

    setattr(driver._pinpad, gone, fails)
    if gone in ("card_data", "seal"):
        assert driver.take(ask).say is Say.DECLINED
    else:
        assert driver.prepare(ask_for()) is None
    assert acquirer.moved(ask.pay_ref) == []


def test_card_data_that_no_message_can_hold_sends_nothing_and_is_not_shown(acquirer, driver, prepared):
    ask = prepared()
    driver._pinpad.card_data = lambda *_: CardData({"2": MADE_UP_CARD + "99"})
    assert driver.take(ask).say is Say.DECLINED
    assert acquirer.moved(ask.pay_ref) == []


def test_an_approval_number_with_spaces_can_be_reversed(acquirer, driver, sell):
    ask, paid = sell()
    short = msgspec.structs.replace(paid.evidence, auth="12")
    assert driver.reverse(ask, short).say is Say.APPROVED


def test_a_changed_amount_in_a_yes_spoils_its_mac(acquirer, tap, tapped, prepared):
    ask = prepared(12_000, tapped)
    tap.answer = lambda message, frame: frame.replace(
        bytes.fromhex("000000012000"), bytes.fromhex("000000012099")
    )
    assert tapped.take(ask).say is Say.UNCLEAR


@pytest.mark.parametrize(
    ("code", "says"), [("25", Say.NOT_FOUND), ("12", Say.NOT_FOUND), ("05", Say.UNCLEAR)]
)
def test_no_original_does_not_close_a_reversal(code, says, acquirer, driver, sell):
    ask, paid = sell()
    acquirer.fault("declined", on="reversal", code=code)
    assert driver.reverse(ask, paid.evidence).say is says
    assert driver.reverse(ask, paid.evidence).say is Say.APPROVED


def test_a_reversal_may_overtake_its_sale_and_is_repeated(acquirer, driver, prepared):
    ask = prepared()
    acquirer.fault("late_request", ms=2500)  # the first reversal is before it on a busy machine too
    assert driver.take(ask).say is Say.UNCLEAR
    assert driver.reverse(ask, Evidence()).say is Say.NOT_FOUND
    said = Say.NOT_FOUND
    for _ in range(200):
        if said is Say.NOT_FOUND:
            threading.Event().wait(0.05)
            said = driver.reverse(ask, Evidence()).say
    assert said is Say.APPROVED
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("reversal", ask.amount_fen)]


def test_what_is_settled_stands_and_is_refunded(acquirer, tmp_path, sell, begin_return):
    number = new_number()
    driver = direct_terminal(acquirer.address, tmp_path, number)
    ask, paid = sell(at=driver)
    acquirer.settle(number)
    assert driver.reverse(ask, paid.evidence).say is Say.DECLINED
    back = begin_return(ask, paid, at=driver)
    assert driver.refund(ask, back).say is Say.APPROVED
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("refund", ask.amount_fen)]


@pytest.mark.parametrize("fault", ["lost_request", "wrong_mac"])
def test_an_unanswered_reversal_is_sent_before_anything_else(fault, acquirer, tap, tapped, sell, ask_for):
    ask, paid = sell(at=tapped)
    acquirer.fault(fault, on="reversal", times=2)
    assert tapped.reverse(ask, paid.evidence).say is Say.UNCLEAR
    assert tapped.prepare(ask_for()) is None
    assert tapped.prepare(ask_for()) is not None
    assert [one.mti for one in tap.heard][-5:] == ["0400", "0820", "0400", "0820", "0400"]
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("reversal", ask.amount_fen)]


def test_keys_with_a_wrong_check_value_are_not_used(acquirer, driver, ask_for):
    acquirer.fault("wrong_key_check")
    assert driver.prepare(ask_for()) is None
    assert driver.prepare(ask_for()) is not None


def test_a_sign_in_that_is_refused_or_lost_leaves_the_terminal_away(acquirer, driver, ask_for):
    acquirer.fault("declined", on="sign_in")
    assert driver.prepare(ask_for()) is None
    acquirer.fault("lost_answer", on="sign_in")
    assert driver.prepare(ask_for()) is None
    assert driver.prepare(ask_for()) is not None


def test_a_host_that_has_forgotten_its_keys_is_signed_in_at_again(tmp_path, sell):
    with EmulatedAcquirer.start(tmp_path) as host:
        driver = direct_terminal(host.address, tmp_path)
        ask, paid = sell(at=driver)
        port = host.address.rpartition(":")[2]
    with EmulatedAcquirer.start(tmp_path, port=port) as host:
        assert driver.reverse(ask, paid.evidence).say is Say.UNCLEAR  # told to sign in
        assert driver.reverse(ask, paid.evidence).say is Say.APPROVED
        sell(at=driver)


def test_a_closed_batch_is_noticed_before_the_next_card_is_read(acquirer, tap, tmp_path, sell):
    number = new_number()
    driver = direct_terminal(tap.address, tmp_path, number)
    ask, _ = sell(at=driver)
    acquirer.settle(number)
    later, _ = sell(at=driver)
    assert read_sale_mark(later.mark).batch != read_sale_mark(ask.mark).batch
    assert [one.mti for one in tap.heard] == ["0800", "0200", "0820", "0800", "0200"]


def test_a_batch_that_closes_after_the_card_is_read_charges_nothing(acquirer, tmp_path, prepared, sell):
    number = new_number()
    driver = direct_terminal(acquirer.address, tmp_path, number)
    ask = prepared(at=driver)
    acquirer.settle(number)
    answer = driver.take(ask)
    assert (answer.say, answer.evidence.code) == (Say.DECLINED, "77")
    assert acquirer.moved(ask.pay_ref) == []
    sell(at=driver)


def test_a_whole_sale_is_voided_in_its_batch_and_a_part_is_refunded(
    acquirer, tap, tapped, sell, begin_return
):
    ask, paid = sell(at=tapped)
    back = begin_return(ask, paid, at=tapped)
    assert tapped.refund(ask, back).say is Say.APPROVED
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("void", ask.amount_fen)]
    other, paid = sell(at=tapped)
    back = begin_return(other, paid, fen=1_000, at=tapped)
    assert tapped.refund(other, back).approved_fen == 1_000
    assert acquirer.moved(other.pay_ref) == [("sale", other.amount_fen), ("refund", 1_000)]
    (refund,) = tap.said("0220")
    assert refund["37"] == paid.evidence.rrn
    mark = read_sale_mark(other.mark)
    assert refund["61"] == f"{mark.batch}{mark.trace}{paid.evidence.host_date}"


@pytest.mark.parametrize("fault", ["lost_answer", "lost_request"])
def test_an_agent_that_starts_again_gives_back_once(fault, acquirer, tap, tmp_path, sell, begin_return):
    """The void's answer was lost, and with it the memory that there was a void."""
    number = new_number()
    driver = direct_terminal(tap.address, tmp_path, number)
    ask, paid = sell(at=driver)
    back = begin_return(ask, paid, at=driver)
    acquirer.fault(fault, on="void")
    assert driver.refund(ask, back).say is Say.UNCLEAR

    again = direct_terminal(acquirer.address, tmp_path, number)
    answer = again.refund(ask, back)
    for _ in range(40):
        if answer.say is Say.UNCLEAR:
            threading.Event().wait(0.05)
            answer = again.refund(ask, back)
    assert (answer.say, answer.approved_fen) == (Say.APPROVED, ask.amount_fen)
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("refund", ask.amount_fen)]
    # Told once more, as an agent does whose power went before it could write the answer down.
    third = direct_terminal(acquirer.address, tmp_path, number)
    said = {third.refund(ask, back).say for _ in range(20) if not threading.Event().wait(0.04)}
    assert said <= {Say.APPROVED, Say.UNCLEAR}
    assert Say.APPROVED in said
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("refund", ask.amount_fen)]


def test_a_void_in_a_batch_that_has_closed_since_has_given_back(acquirer, tmp_path, sell, begin_return):
    number = new_number()
    driver = direct_terminal(acquirer.address, tmp_path, number)
    ask, paid = sell(at=driver)
    back = begin_return(ask, paid, at=driver)
    acquirer.fault("lost_answer", on="void")
    assert driver.refund(ask, back).say is Say.UNCLEAR
    acquirer.settle(number)
    answer = driver.refund(ask, back)
    assert (answer.say, answer.approved_fen) == (Say.APPROVED, ask.amount_fen)
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("void", ask.amount_fen)]


@pytest.mark.parametrize("mark", [None, "", "000041", "S.1.2.3.4", "B.000001.000002.000003"])
def test_without_a_mark_of_ours_nothing_leaves(mark, acquirer, tap, tapped, sell, begin_return):
    ask, paid = sell(at=tapped)
    back = begin_return(ask, paid, at=tapped)
    heard = len(tap.heard)
    lost = msgspec.structs.replace(ask, mark=mark)
    assert tapped.reverse(lost, Evidence()).say is Say.UNCLEAR
    assert tapped.refund(lost, back).say is Say.UNCLEAR
    assert len(tap.heard) == heard


@pytest.fixture
def moved_to(tmp_path):
    """Return the terminal after its profile got another merchant's number, or another terminal's."""

    def moved(address, number, what):
        if what == "merchant":
            return direct_terminal(address, tmp_path, number, merchant='"EMU000000000002"')
        return direct_terminal(address, tmp_path)

    return moved


@pytest.mark.parametrize("what", ["merchant", "terminal"])
def test_what_was_begun_for_another_merchant_or_terminal_is_unclear_and_nothing_leaves(
    what, acquirer, tap, tmp_path, moved_to, sell, begin_return, ask_for
):
    number = new_number()
    driver = direct_terminal(acquirer.address, tmp_path, number)
    ask, paid = sell(at=driver)
    back = begin_return(ask, paid, at=driver)
    later = moved_to(tap.address, number, what)

    said = [later.query(ask), later.reverse(ask, Evidence()), later.refund(ask, back)]

    assert [one.say for one in said] == [Say.UNCLEAR] * 3
    assert {one.evidence.code for one in said} == {"OTHER_MERCHANT"}
    assert later.prepare(ask) is None
    assert tap.heard == []
    assert later.prepare(ask_for()) is not None  # it stands in no new sale's way
    assert acquirer.moved(ask.pay_ref) == [("sale", ask.amount_fen)]
    as_before = direct_terminal(acquirer.address, tmp_path, number)
    assert as_before.reverse(ask, paid.evidence).say is Say.APPROVED


def test_a_return_that_another_merchant_began_is_not_sent_again_here(
    acquirer, tap, tmp_path, moved_to, sell, begin_return
):
    number = new_number()
    driver = direct_terminal(acquirer.address, tmp_path, number)
    ask, paid = sell(at=driver)
    back = begin_return(ask, paid, at=driver)
    of_before = msgspec.structs.replace(ask, mark=ask.mark.partition("@")[0])
    later = moved_to(tap.address, number, "merchant")
    assert later.refund(of_before, back).evidence.code == "OTHER_MERCHANT"
    assert tap.heard == []


def test_marks_of_before_they_named_a_merchant_are_ours(acquirer, driver, sell, begin_return):
    ask, paid = sell()
    ask = msgspec.structs.replace(ask, mark=ask.mark.partition("@")[0])
    back = begin_return(ask, paid)
    back = msgspec.structs.replace(back, mark=back.mark.partition("@")[0])
    assert str(read_sale_mark(ask.mark)) == ask.mark
    assert str(read_back_mark(back.mark)) == back.mark
    assert driver.refund(ask, back).say is Say.APPROVED
    other, paid = sell()
    other = msgspec.structs.replace(other, mark=other.mark.partition("@")[0])
    assert driver.reverse(other, paid.evidence).say is Say.APPROVED


def test_marks_read_as_they_were_written(tapped, sell, begin_return):
    ask, paid = sell(at=tapped)
    back = begin_return(ask, paid, at=tapped)
    assert str(read_sale_mark(ask.mark)) == ask.mark
    assert str(read_back_mark(back.mark)) == back.mark


def test_a_batch_is_closed_with_our_totals_and_the_next_sale_is_in_another(
    acquirer, tap, tapped, sell, begin_return
):
    sell(12_000, at=tapped)
    ask, paid = sell(300, at=tapped)
    tapped.refund(ask, begin_return(ask, paid, at=tapped))
    ours = Totals(12_300, 2, 300, 1)
    batch = tapped.open_batch()
    assert tapped.close(batch, ours) == Settled(batch, ours, ours, balanced=True, code="00")
    (request,) = tap.said("0500")
    assert request["48"] == "0000000123000020000000003000010" + "0" * 31
    later, _ = sell(at=tapped)
    assert int(read_sale_mark(later.mark).batch) == int(batch) + 1


def test_other_totals_at_the_host_are_told(tapped, sell):
    sell(12_000, at=tapped)
    settled = tapped.close(tapped.open_batch(), Totals(12_001, 1, 0, 0))
    assert (settled.balanced, settled.theirs) == (False, Totals(12_000, 1, 0, 0))


@pytest.mark.parametrize("fault", ["lost_request", "lost_answer", "wrong_mac", "no_mac", "cut_answer"])
def test_a_settlement_that_is_not_confirmed_says_so(fault, acquirer, driver, sell):
    sell()
    acquirer.fault(fault, on="settle")
    assert driver.close(driver.open_batch(), Totals(12_000, 1, 0, 0)) is None


@pytest.fixture
def counted(tapped):
    """Return the terminal with what its journal counts in a batch: sales, and what went back."""

    def of(sales, backs=0):
        tapped.count_with(lambda batch, merchant: (sales * 100, sales, backs * 100, backs))
        return tapped

    return of


def test_a_sale_in_a_full_batch_is_declined_before_anything_is_sent_and_says_to_settle(
    counted, tap, prepared, sell
):
    sell(at=counted(899))
    driver = counted(900)
    answer = driver.take(prepared(at=driver))
    assert (answer.say, answer.evidence.code) == (Say.DECLINED, "BATCH_FULL")
    assert len(tap.said("0200")) == 1
    assert "Batch 000001 has 900 sales" in driver.trouble
    assert "`terminal-agent settle EMU" in driver.trouble
    sell(at=counted(0))
    assert driver.trouble == ""


def test_a_batch_is_counted_again_when_what_was_begun_since_could_have_filled_it(tapped, prepared):
    counts = []

    def moved_in_batch(batch, merchant):
        counts.append(898 if not counts else 900)
        return (0, counts[-1], 0, 0)

    tapped.count_with(moved_in_batch)
    said = [tapped.take(prepared(at=tapped)).say for _ in range(3)]
    assert said == [Say.APPROVED, Say.APPROVED, Say.DECLINED]
    assert counts == [898, 900]


def test_nothing_is_given_back_in_a_batch_that_is_full_of_that_and_sales_go_on(
    counted, acquirer, sell, begin_return
):
    driver = counted(0, backs=900)
    ask, paid = sell(at=driver)
    assert driver.prepare(ask) is None
    assert "900 given back" in driver.trouble
    driver = counted(0, backs=899)
    assert driver.refund(ask, begin_return(ask, paid, at=driver)).say is Say.APPROVED


def test_what_is_in_doubt_is_reversed_in_a_full_batch_too(counted, acquirer, sell):
    ask, paid = sell(at=counted(0))
    assert counted(900, backs=900).reverse(ask, paid.evidence).say is Say.APPROVED


def test_the_host_cannot_be_asked(driver, sell):
    ask, _ = sell()
    answer = driver.query(ask)
    assert (answer.say, answer.evidence) == (Say.UNCLEAR, Evidence())
