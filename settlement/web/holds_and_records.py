"""How do the release of holds, returns and the shops' records reach the writer?"""

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import json

from settlement.intake.accept import Stated, TakeUpload
from settlement.intake.read_upload import TakenEntry, read_entry
from settlement.system import clock_us
from settlement.trail import trace_in
from settlement.web.edge import Edge, ask_writer, sealed
from settlement.web.problems import ANSWERS
from settlement.web.signed import SIGNED, Caller
from settlement.web.strict_request import StrictRequest
from settlement.writer.step import Acks
from subsidy import seal
from subsidy.problem import Problem, of_not_strict
from subsidy.seal import NotSealed, Sealed
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from subsidy.wire import v1


@post(
    "/v1/holds/{record_id:str}/release",
    status_code=200,
    sync_to_thread=True,
    guards=SIGNED,
    responses=ANSWERS,
)
def release_hold(
    request: StrictRequest,
    record_id: FromPath[str],
    data: JSONBody[v1.ChainedEntry],
    edge: NamedDependency[Edge],
) -> v1.UploadAnswer:
    """Take a `closed` entry early, so that money and goods are free at once."""
    caller: Caller = request.state.caller
    taken = _read(edge, caller, data)
    if not isinstance(taken.entry, v1.Closed) or taken.record_id != record_id:
        raise Problem(
            422, "NOT_THIS_RELEASE", "$.body: not a `closed` entry of this record. Send others to /v1/records"
        )
    return _take(request, edge, TakeUpload(caller.device.device, caller.epoch, (taken,), None))


@post("/v1/returns", status_code=200, sync_to_thread=True, guards=SIGNED, responses=ANSWERS)
def take_return(
    request: StrictRequest, data: JSONBody[v1.ChainedEntry], edge: NamedDependency[Edge]
) -> v1.UploadAnswer:
    """Take a `returning` or `returned` entry early: the refund starts when its line is held back."""
    caller: Caller = request.state.caller
    taken = _read(edge, caller, data)
    if not isinstance(taken.entry, v1.Returning | v1.Returned):
        raise Problem(
            422, "NOT_A_RETURN", "$.body: not a `returning` or `returned` entry. Send others to /v1/records"
        )
    return _take(request, edge, TakeUpload(caller.device.device, caller.epoch, (taken,), None))


@post("/v1/records", status_code=200, sync_to_thread=True, guards=SIGNED, responses=ANSWERS)
def take_records(
    request: StrictRequest, data: JSONBody[Sealed], edge: NamedDependency[Edge]
) -> v1.UploadAnswer:
    """Take a batch of entries with the device's statement; one signed ack for each."""
    caller: Caller = request.state.caller
    upload = _unsealed(caller, data)
    entries = tuple(_read(edge, caller, one) for one in upload.entries)
    if entries and (entries[-1].seq, entries[-1].hash) != (upload.head_seq, upload.head_hash):
        raise Problem(
            422, "HEAD_DIFFERS", "payload.head_hash: not that of the last entry. Cut the batch again"
        )
    stated = Stated(upload.upload_no, upload.statement, upload.refused)
    return _take(request, edge, TakeUpload(upload.device, upload.epoch, entries, stated))


def _unsealed(caller: Caller, sealed_upload: Sealed) -> v1.Upload:
    key = seal.public_key(caller.device.public_key)
    try:
        payload = seal.unseal(sealed_upload, v1.UPLOAD, {seal.key_id(key): key})
        upload = json_bytes.decode(payload, v1.Upload)
    except NotSealed as wrong:
        detail = f"$: {wrong}. Seal the upload with the device's key"
        raise Problem(422, "NOT_SEALED", detail) from None
    except NotStrict as wrong:
        inside = type(wrong)(f"payload{wrong.where.removeprefix('$')}", wrong.problem, wrong.remedy)
        raise of_not_strict(inside) from None
    if (upload.device, upload.epoch) != (caller.device.device, caller.epoch):
        raise Problem(
            422, "ANOTHER_DEVICE", "payload.device: the upload is another device's or epoch's. Send your own"
        )
    return upload


def _read(edge: Edge, caller: Caller, chained: v1.ChainedEntry) -> TakenEntry:
    return read_entry(caller.device.device, caller.epoch, chained, edge.keys.public())


def _take(request: StrictRequest, edge: Edge, command: TakeUpload) -> v1.UploadAnswer:
    """Return the acks of what was sent, with a line for each entry that names its sale."""
    began_us = clock_us()
    answer = ask_writer(edge, command)
    assert isinstance(answer, Acks)
    us, trace, trail = clock_us() - began_us, trace_in(request.scope["headers"]), edge.trail
    if command.stated is not None:
        trail.upload_answered(trace, command.device, command.stated.upload_no, len(answer.acks), us)
        trace = None  # of the upload; each of its entries has its own
    for taken, one in zip(command.entries, answer.acks, strict=True):
        if taken.record_id is not None:
            said = json.decode(one.payload, type=v1.Ack).answer
            trail.answered("entry.taken", trace, command.device, taken.record_id, said, us)
    acks = tuple(sealed(edge, one) for one in answer.acks)
    return v1.UploadAnswer(v=1, acks=acks, centre_ms=edge.now_ms())
