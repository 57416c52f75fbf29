"""Whatever arrives, nothing is raised but our faults, and nothing takes long.

`MUTATIONS` says how many frames: a million is a run of some minutes.
"""

import os
import random

from cpu_time import cpu_time
from iso8583_messages import APPROVAL, SALE, codec

from terminal_agent.iso8583.dialect import Frame
from terminal_agent.iso8583.faults import Iso8583Fault
from terminal_agent.iso8583.framing import FrameReader, close_frame, open_frame

COUNT = int(os.environ.get("MUTATIONS", "20000"))
MOST_CPU_S = 0.1


def mutated(chance, frame):
    changed = bytearray(frame)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed) or 1)
        match chance.randrange(5):
            case 0:
                changed[at : at + 1] = bytes(one ^ 1 << chance.randrange(8) for one in changed[at : at + 1])
            case 1:
                changed[at : at + 1] = chance.randbytes(1)
            case 2:
                del changed[at : at + chance.randint(1, 8)]
            case 3:
                changed[at:at] = chance.randbytes(chance.randint(1, 8))
            case 4:
                del changed[at + 1 :]
    return bytes(changed)


def test_mutated_frames_raise_nothing_but_our_faults_and_take_no_time():
    chance = random.Random(8583)
    codecs = [codec("unionpay_terminal"), codec("mis_line")]
    frames = []
    for one in codecs:
        known = {str(no) for no in one.dialect.fields}
        for mti, fields in (("0200", SALE), ("0210", APPROVAL)):
            body = one.encode(mti, {key: text for key, text in fields.items() if key in known})
            frames.append((one, close_frame(one.dialect.frame, body)))
    read = refused = 0
    slowest = 0.0
    for no in range(COUNT):
        one, frame = frames[no % len(frames)]
        # Half of them with a length that fits: then what is read is the message.
        line = mutated(chance, frame)
        if no % 8 < 4:
            width = 2 if one.dialect.frame.length == "bin2" else 4
            line = close_frame(Frame(one.dialect.frame.length, "", ""), line[width:])
        with cpu_time() as cost:
            try:
                for content in FrameReader(one.dialect.frame).feed(line):
                    one.decode(open_frame(one.dialect.frame, content).body)
                    read += 1
            except Iso8583Fault:
                refused += 1
        slowest = max(slowest, cost.s)
    print(f"{COUNT} frames: {read} read, {refused} refused, the slowest took {slowest * 1000:.2f} ms of CPU")
    assert slowest < MOST_CPU_S
    assert refused > COUNT / 2
    assert read > COUNT / 20
