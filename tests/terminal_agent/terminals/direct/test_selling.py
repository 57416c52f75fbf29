"""What goes over the line before and with a sale, and which answer to it does the driver believe?"""

import msgspec
import pytest
from acquirer import EmulatedAcquirer, direct_terminal

from subsidy.records.payment import Evidence
from terminal_agent.checkout.ports import Say
from terminal_agent.emulators.answers import MADE_UP_CARD
from terminal_agent.terminals.direct.messages import read_sale_mark
from terminal_agent.terminals.direct.pinpad import CardData, PinpadFault

CARD_DATA = (MADE_UP_CARD, MADE_UP_CARD[6:15], "3012520100000000")


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


def test_a_yes_without_the_right_mac_is_no_yes_and_keeps_nothing_of_it(acquirer, tapped, prepared):
    for fault in ("wrong_mac", "no_mac"):
        ask = prepared(at=tapped)
        acquirer.fault(fault)
        answer = tapped.take(ask)
        assert (answer.say, answer.approved_fen) == (Say.UNCLEAR, None)
        assert answer.evidence == Evidence(code="A0", text="MAC 校验失败")
        assert tapped.reverse(ask, answer.evidence).say is Say.APPROVED


def test_a_changed_amount_in_a_yes_spoils_its_mac(acquirer, tap, tapped, prepared):
    ask = prepared(12_000, tapped)
    tap.answer = lambda message, frame: frame.replace(
        bytes.fromhex("000000012000"), bytes.fromhex("000000012099")
    )
    assert tapped.take(ask).say is Say.UNCLEAR


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


def test_the_host_cannot_be_asked(driver, sell):
    ask, _ = sell()
    answer = driver.query(ask)
    assert (answer.say, answer.evidence) == (Say.UNCLEAR, Evidence())
