"""Is a mutated message between shop and centre refused with our own error, or read, and never at length?

`MUTATIONS=1000000` tries so many of them all together; without it a few thousand.
"""

import os
from pathlib import Path

from mutated import understood_of

from subsidy.policy.facts import Facts
from subsidy.seal import NotSealed, Sealed
from subsidy.strict import json_bytes
from subsidy.strict.json_bytes import NotStrict
from subsidy.wire import v1

COUNT = int(os.environ.get("MUTATIONS", "5000"))
FILES = Path(__file__).resolve().parents[2] / "files/wire"
TYPES = {
    "ack": v1.Ack,
    "chained-entry": v1.ChainedEntry,
    "enrolled": v1.Enrolled,
    "enrolment-request": v1.EnrolmentRequest,
    "facts-answer": v1.FactsAnswer,
    "facts-request": v1.FactsRequest,
    "heard": v1.Heard,
    "heard-request": v1.HeardRequest,
    "hold-request": v1.HoldRequest,
    "pack-answer": v1.PackAnswer,
    "pack-request": v1.PackRequest,
    "promise": v1.Promise,
    "refused": v1.Refused,
    "upload-answer": v1.UploadAnswer,
    "upload": v1.Upload,
}


def as_type(file):
    name = file.stem.removeprefix("v1-")
    if name.startswith("sealed-"):
        return Sealed
    return v1.Entry if name.startswith("entry-") else TYPES[name]


def reading(of):
    """Return what reads a message, and what is packed inside of it, as those do who receive it."""

    def read(content):
        try:
            found = json_bytes.decode(content, of)
            if isinstance(found, Sealed):
                found.payload_bytes()
            if isinstance(found, v1.Promise):
                json_bytes.decode(bytes(found.facts), Facts)
        except (NotStrict, NotSealed) as refused:
            return False, str(refused)
        return True, ""

    return read


def test_a_mutated_message_is_refused_with_our_own_error_and_costs_little():
    messages = [(file.read_bytes(), reading(as_type(file))) for file in sorted(FILES.glob("*.json"))]
    assert all(read(content)[0] for content, read in messages)
    assert 0 < understood_of("wire", messages, COUNT) < COUNT
