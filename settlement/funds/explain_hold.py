"""Why is this hold still open, and what ends it?

A hold ends by one of five proofs. For each it is said what is missing; the next step is the one that is most
likely to bring one of them. Pure: `web/explained_hold.py` gathers what it looks at.
"""

import msgspec

from settlement.reconcile.hold_ends import Awaited
from settlement.writer.rows import Device, Record
from subsidy import calendar


class Seen(msgspec.Struct, frozen=True):
    """What is looked at. `awaited` is None when no source has such payments; `whole` are the files here."""

    record: Record
    device: Device
    awaited: Awaited | None
    whole: frozenset[tuple[str, str]]
    return_heard: bool
    lag_target_s: int
    now_ms: int


class Proof(msgspec.Struct, frozen=True):
    """One of the five, and what is missing of it."""

    proof: str
    zh: str
    en: str


class NextStep(msgspec.Struct, frozen=True):
    """What people do next."""

    zh: str
    en: str


def over_ms(record: Record) -> int:
    """Return when the shop may not begin to take money any more."""
    return record.placed_at_ms + record.held_for_s * 1000


def proofs(seen: Seen) -> tuple[Proof, ...]:
    """Return the five proofs and what is missing of each; none for a record that is not held."""
    if seen.record.state != "HELD":
        return ()
    return (
        Proof("paid", "门店尚未上报已支付记录。", "Its shop has not reported it paid."),
        Proof("closed", "门店尚未上报未支付关闭。", "Its shop has not reported it closed."),
        _statement(seen),
        _files(seen),
        Proof(
            "people",
            "尚无两人决定释放。",
            "No decision by people to release it has been made.",
        ),
    )


def next_step(seen: Seen) -> NextStep:
    """Return what to do now."""
    record, device = seen.record, seen.device
    if record.state != "HELD":
        return NextStep("无需操作，该预占已结束。", "Nothing: it is no open hold any more.")
    if seen.return_heard:
        return NextStep(
            "已收到退货信息，说明已支付：等待门店记录或次日对账文件。",
            "A return of it was reported, so it was paid: wait for the shop's record or the night.",
        )
    if seen.now_ms <= over_ms(record):
        return NextStep(
            "门店可能正在收款，请等到时限结束再看。",
            "The shop may be taking the money now: look again when its time is over.",
        )
    if seen.awaited is not None and seen.now_ms > seen.awaited.over_ms and not _files_to_come(seen):
        night = f"settlement night run --date {seen.awaited.days[-1]}"
        return NextStep(
            f"对账文件已齐，请重新执行 {night}，并查看差异。",
            f"The files are all here: run {night} and look at its differences.",
        )
    if device.frozen is None and not _is_silent(seen):
        return NextStep(
            "请门店查看该笔销售是否待确认（terminal-agent status），并按屏幕提示处理。",
            "Ask the shop whether the sale is parked (terminal-agent status), and to do as its screen says.",
        )
    if device.frozen is None:
        return NextStep(
            "请门店启动收银主机上的程序并检查网络；无法恢复时执行 settlement devices replace。",
            "Have the shop start its host and check its line; if it is lost, run settlement devices replace.",
        )
    if seen.awaited is not None:
        return NextStep(
            "设备已冻结：等待对账文件；急需时先释放人员和序列号（holds release --only-person-and-serial）。",
            "Its device is frozen: the files will end it. If the shopper waits, free person and serial "
            "number first (settlement holds release --only-person-and-serial).",
        )
    return NextStep(
        "没有其他凭据可等：核实后由两人决定释放（settlement holds release）。",
        "No other proof will come: find out what happened, then two people release it "
        "(settlement holds release).",
    )


def _statement(seen: Seen) -> Proof:
    record, device = seen.record, seen.device
    if device.frozen is not None:
        return Proof(
            "statement",
            "设备已冻结，其陈述不再采信。",
            "Its device is frozen: what it states frees nothing.",
        )
    if not device.upload_no:
        return Proof("statement", "设备从未上报。", "Its device has never stated its open holds.")
    at = calendar.from_ms(device.stated_ms).isoformat(" ", "seconds")
    if device.stated_hold_no < record.hold_no:
        return Proof(
            "statement",
            f"设备最近一次陈述（{at}）只到第 {device.stated_hold_no} 号，本单为第 {record.hold_no} 号。",
            f"Its device last stated holds up to number {device.stated_hold_no} ({at}); "
            f"this is {record.hold_no}.",
        )
    return Proof(
        "statement",
        f"设备最近一次陈述（{at}）称本单仍未结束。",
        f"Its device said that it is open, when it last stated its holds ({at}).",
    )


def _files(seen: Seen) -> Proof:
    if seen.awaited is None:
        return Proof(
            "files",
            "没有对账文件覆盖该支付方式（现金不在任何文件中），文件不能结束本单。",
            "No source of night.yaml has such payments (cash stands in none), or it cannot be read: "
            "files will not end it.",
        )
    until = calendar.from_ms(seen.awaited.over_ms).isoformat(" ", "seconds")
    if seen.now_ms <= seen.awaited.over_ms:
        return Proof(
            "files",
            f"支付可能持续到 {until}，之后才看对账文件。",
            f"A payment may still end until {until}; files are asked after that.",
        )
    missing = ", ".join(f"{source} {day}" for source, day in _files_to_come(seen))
    if missing:
        return Proof(
            "files", f"尚缺完整的对账文件：{missing}。", f"Files that are not here whole: {missing}."
        )
    return Proof(
        "files",
        "对账文件已齐，但对账尚未重新运行，或其内容有差异。",
        "The files are all here: their night has not been run since, or they differ.",
    )


def _files_to_come(seen: Seen) -> list[tuple[str, str]]:
    assert seen.awaited is not None
    return [one for one in seen.awaited.files if one not in seen.whole]


def _is_silent(seen: Seen) -> bool:
    return seen.now_ms - max(seen.device.stated_ms, seen.device.enrolled_ms) > seen.lag_target_s * 1000
