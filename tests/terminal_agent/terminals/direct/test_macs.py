"""Every MAC and every kind of sign-in meets a host that makes keys and MACs on its own."""

import secrets

import pytest
from acquirer import VARIANTS, EmulatedAcquirer, direct_terminal, new_number, profile_text, spoken
from msgspec.structs import replace

from subsidy.records.payment import Evidence
from subsidy.strict.yaml_text import FileError
from terminal_agent.checkout.ports import Say
from terminal_agent.emulators.host_keys import MAC_KEYS, SIGN_INS, Keys, mac
from terminal_agent.iso8583.mac import MACS
from terminal_agent.terminals.direct.pinpad import Use
from terminal_agent.terminals.direct.training_pinpad import TrainingPinpad
from terminal_agent.terminals.drivers import DRIVERS

MASTER = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    """Return the host that makes MACs in one way, started when it is first asked for."""
    running = {}

    def host(name):
        if name not in running:
            folder = tmp_path_factory.mktemp(name)
            running[name] = EmulatedAcquirer.start(folder, mac=name)
        running[name].clear_faults()
        return running[name]

    yield host
    for one in running.values():
        one.stop()


@pytest.fixture(params=VARIANTS)
def variant(request):
    return request.param


@pytest.fixture
def host(variant, hosts):
    return hosts(VARIANTS[variant][0])


@pytest.fixture
def number():
    return new_number()


@pytest.fixture
def at(host, variant, tmp_path, number):
    """Return the terminal as a process that has just started sees it."""
    return lambda: direct_terminal(host.address, tmp_path, number, **spoken(variant, tmp_path))


@pytest.fixture
def there(at):
    return at()


def test_money_is_taken_and_given_back_by_void_and_refund(host, there, number, sell, begin_return):
    ask, paid = sell(at=there)
    assert there.refund(ask, begin_return(ask, paid, at=there)).say is Say.APPROVED
    assert host.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("void", ask.amount_fen)]
    ask, paid = sell(at=there)
    assert there.refund(ask, begin_return(ask, paid, fen=300, at=there)).say is Say.APPROVED
    host.settle(number)
    assert there.refund(ask, begin_return(ask, paid, fen=400, at=there)).say is Say.APPROVED
    assert host.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("refund", 300), ("refund", 400)]


@pytest.mark.parametrize("fault", ["lost_answer", "wrong_mac", "no_mac"])
def test_what_cannot_be_believed_is_reversed(fault, host, there, prepared):
    ask = prepared(at=there)
    host.fault(fault, on="sale")
    taken = there.take(ask)
    assert taken.say is Say.UNCLEAR
    host.fault(fault, on="reversal")
    assert there.reverse(ask, taken.evidence).say is Say.UNCLEAR
    assert there.reverse(ask, taken.evidence).say is Say.APPROVED
    assert host.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("reversal", ask.amount_fen)]


def test_a_request_under_old_keys_does_nothing_and_the_next_goes_under_new_ones(host, there, at, prepared):
    """Somebody else signed the terminal in meanwhile: the host has given out other keys."""
    ask = prepared(at=there)
    assert at().open_batch() is not None
    answer = there.take(ask)
    assert (answer.say, answer.evidence.code) == (Say.DECLINED, "A0")
    assert host.moved(ask.pay_ref) == []
    after = prepared(at=there)
    assert there.take(after).say is Say.APPROVED


def test_a_sale_under_old_keys_is_reversed_under_new_ones(host, there, at, prepared):
    ask = prepared(at=there)
    host.fault("lost_answer", on="sale")
    assert there.take(ask).say is Say.UNCLEAR
    assert at().open_batch() is not None
    assert there.reverse(ask, Evidence()).say is Say.UNCLEAR  # the host does not know its MAC
    assert there.reverse(ask, Evidence()).say is Say.APPROVED
    assert host.moved(ask.pay_ref) == [("sale", ask.amount_fen), ("reversal", ask.amount_fen)]


def test_keys_with_a_wrong_check_value_are_not_used(host, there, ask_for):
    host.fault("wrong_key_check")
    assert there.prepare(ask_for()) is None
    assert there.prepare(ask_for()) is not None


@pytest.mark.parametrize("other", ["cup_3des", "cup_sm4", "x919"])
def test_a_host_that_makes_its_macs_otherwise_takes_nothing(other, hosts, tmp_path, ask_for, number):
    """The check values of two DES keys are the same: the MAC itself tells."""
    variant = {"cup_3des": "x919", "x919": "cup_3des", "cup_sm4": "x919"}[other]
    host = hosts(other)
    driver = direct_terminal(host.address, tmp_path, number, **spoken(variant, tmp_path))
    ask = ask_for()
    mark = driver.prepare(ask)
    if other == "cup_sm4":
        assert mark is None
        return
    assert driver.take(replace(ask, mark=mark)).evidence.code == "A0"
    assert host.moved(ask.pay_ref) == []


@pytest.mark.parametrize("name", MACS)
def test_both_sides_make_the_same_mac_each_in_its_own_way(name):
    for size in range(1, 70):
        key, data = secrets.token_bytes(MAC_KEYS[name]), secrets.token_bytes(size)
        assert mac(key, data, name) == MACS[name](key, data)


@pytest.mark.parametrize("name", MACS)
@pytest.mark.parametrize("sign_in", SIGN_INS)
def test_a_pinpad_takes_every_key_that_its_mac_can_use(name, sign_in, tmp_path):
    slots = SIGN_INS[sign_in]
    mak, *more = (secrets.token_bytes(one) for one in (MAC_KEYS[name], slots[0], *slots[2:]))
    keys = Keys(name, mak, *more)
    pinpad = TrainingPinpad(tmp_path / "memory", name)
    if MAC_KEYS[name] > slots[1]:
        assert not pinpad.load_keys(bytes(sum(slots) + 4 * len(slots)))
        return
    block = bytes.fromhex(keys.block(MASTER))
    assert pinpad.load_keys(block)
    assert pinpad.seal(b"a message") == mac(mak, b"a message", name)
    card = pinpad.card_data("training-1", Use.SALE).reveal()
    assert keys.why_not(card["2"], card["35"], card["52"]) == ""
    assert Keys(name, mak, bytes(slots[0]), *more[1:]).why_not(card["2"], card["35"], card["52"]) == "99"
    starts = [sum(slots[:no]) + 4 * no for no in range(len(slots))]
    for at in (*starts, *(start + slot for start, slot in zip(starts, slots, strict=True))):
        assert not pinpad.load_keys(block[:at] + bytes((block[at] ^ 1,)) + block[at + 1 :])
        assert not pinpad.is_ready


@pytest.mark.parametrize(
    ("mac_name", "sign_in", "says"),
    [("x919", "001", "a MAC key of 8 bytes"), ("cup", "004", "the pinpad enciphers the track")],
)
def test_a_sign_in_that_does_not_go_with_the_dialect_is_refused_at_start(mac_name, sign_in, says, tmp_path):
    made = next(one for one, way in VARIANTS.items() if way == (mac_name, "003"))
    values = {**spoken(made, tmp_path), "sign_in": f'"{sign_in}"', "memory": tmp_path / "memory"}
    with pytest.raises(FileError, match=says):
        DRIVERS["iso8583_direct"](
            "127.0.0.1:1", profile_text("EMU00001", **values), str(tmp_path / "terminal.yaml")
        )
