"""What does the centre answer to shops' installations before a hold: who are you, what do you know?"""

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import json
from sqlalchemy import select

from settlement.db import tables
from settlement.db.connection import reading
from settlement.devices import enrol, freeze
from settlement.funds import gather_facts
from settlement.funds.gather_facts import Question
from settlement.registers import shared
from settlement.registers.database import RegisterDown
from settlement.web.edge import Edge, ask_writer, sealed
from settlement.web.problems import ANSWERS, no_register, problem_of
from settlement.web.signed import SIGNED, Caller
from settlement.web.strict_request import StrictRequest, has_json
from settlement.writer import store
from settlement.writer.batch import Rows
from settlement.writer.rows import Device, Merchant, Shop
from settlement.writer.step import Signed
from subsidy import seal
from subsidy.problem import Problem
from subsidy.seal import Sealed
from subsidy.wire import v1


@post("/v1/enrolments", status_code=200, sync_to_thread=True, guards=[has_json], responses=ANSWERS)
def enrol_host(data: JSONBody[v1.EnrolmentRequest], edge: NamedDependency[Edge]) -> Sealed:
    """Make the host that shows a one-time code a device, and tell it what to pin."""
    ask_writer(edge, enrol.Enrol(seal.sha256_hex(data.code.encode()), data.public_key, data.host))
    enrolled = _enrolled(edge, enrol.device_name(data.public_key))
    edge.log.info("device.enrolled", device=enrolled.device, shop=enrolled.shop)
    return _sealed_now(edge, v1.ENROLLED, json.encode(enrolled))


def _enrolled(edge: Edge, name: str) -> v1.Enrolled:
    pack = edge.setting().pack
    rows = Rows()
    with reading(edge.engine) as connection:
        store.load(connection, [(Device, (name,))], rows)
        device = rows.want(Device, name)
        store.load(connection, [(Shop, (device.shop,))], rows)
        shop = rows.want(Shop, device.shop)
        store.load(connection, [(Merchant, (shop.merchant,))], rows)
        c = tables.terminal.c
        terminals = connection.execute(
            select(c.terminal_no).where(c.shop == shop.shop).order_by(c.terminal_no)
        ).scalars()
        return v1.Enrolled(
            v=1,
            device=device.device,
            epoch=device.epoch,
            programme=pack.programme,
            training=pack.training,
            shop=shop.shop,
            shop_name=shop.name,
            merchant_name=rows.want(Merchant, shop.merchant).name,
            terminals=tuple(terminals),
            centre_keys=tuple(seal.public_text(key) for key in edge.keys.public().values()),
            lag_target_s=edge.setting().lag_target_s(edge.now_ms()),
        )


@post("/v1/facts", status_code=200, sync_to_thread=True, guards=SIGNED, responses=ANSWERS)
def tell_facts(
    request: StrictRequest, data: JSONBody[v1.FactsRequest], edge: NamedDependency[Edge]
) -> Sealed:
    """Return every fact of a purchase as of now. Reads only, holds nothing."""
    caller: Caller = request.state.caller
    if caller.device.frozen is not None:
        raise problem_of(freeze.denied(caller.device))
    contradiction = gather_facts.contradiction(data.prices)
    if contradiction is not None:
        raise problem_of(contradiction)
    question = Question(
        device=caller.device.device,
        item=data.item,
        prices=data.prices,
        qualification=edge.keys.qualification_index(data.qualification_code),
        terminal_no=data.terminal_no,
        tender=data.tender,
    )
    pack, at_ms, rows = edge.setting().pack, edge.now_ms(), shared.empty_rows(edge.registers)
    try:
        with reading(edge.engine) as connection:
            for wanted in gather_facts.asks(question, rows, pack, at_ms):
                shared.load(edge.registers, connection, wanted, rows)
    except RegisterDown:
        raise no_register() from None
    facts = gather_facts.gather(question, rows, pack, at_ms)
    answer = v1.FactsAnswer(v=1, facts=facts, pack_hash=pack.hash, centre_ms=at_ms)
    return _sealed_now(edge, v1.FACTS, json.encode(answer))


@post("/v1/packs", status_code=200, sync_to_thread=True, guards=SIGNED, responses=ANSWERS)
def hand_out_pack(data: JSONBody[v1.PackRequest], edge: NamedDependency[Edge]) -> Sealed:
    """Return the files of a policy pack that this centre has."""
    found = edge.packs.get(data.pack_hash)
    if found is None:
        raise Problem(404, "PACK_UNKNOWN", "$.pack_hash: no pack here has this hash. Ask for the facts again")
    answer = v1.PackAnswer(v=1, programme=found.programme, files=found.files)
    return _sealed_now(edge, v1.PACK, json.encode(answer))


@post("/v1/heard", status_code=200, sync_to_thread=True, guards=SIGNED, responses=ANSWERS)
def tell_what_is_heard(
    request: StrictRequest, data: JSONBody[v1.HeardRequest], edge: NamedDependency[Edge]
) -> Sealed:
    """Return how far the caller's reports have come: by that it knows whether its journal is an old copy."""
    caller: Caller = request.state.caller
    device = caller.device
    if device.frozen is not None:
        raise problem_of(freeze.denied(device))
    answer = v1.Heard(
        v=1,
        device=device.device,
        epoch=caller.epoch,
        upload_no=device.upload_no,
        last_seq=device.last_seq,
        centre_ms=edge.now_ms(),
    )
    return _sealed_now(edge, v1.HEARD, json.encode(answer))


def _sealed_now(edge: Edge, typ: str, payload: bytes) -> Sealed:
    return sealed(edge, Signed(typ, payload, edge.keys.kid))
