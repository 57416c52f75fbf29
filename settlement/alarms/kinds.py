"""Which alarms are there, how bad is each, and what is done about it? A closed list."""

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How bad it is: CRITICAL wakes somebody up, WARNING waits for the morning."""

    CRITICAL = "critical"
    WARNING = "warning"


class AlarmCode(StrEnum):
    """Codes are read by monitors: add new ones, never rename or reuse one."""

    BOOKS_NOT_TRUE = "BOOKS_NOT_TRUE"
    NOTHING_HEARD = "NOTHING_HEARD"
    NIGHT_OVERDUE = "NIGHT_OVERDUE"
    FUND_USED_UP = "FUND_USED_UP"
    FUND_90_USED = "FUND_90_USED"
    FUND_80_USED = "FUND_80_USED"
    FILE_NOT_TAKEN = "FILE_NOT_TAKEN"
    DEVICE_FROZEN = "DEVICE_FROZEN"
    DEVICE_SILENT = "DEVICE_SILENT"
    HOLD_WAITS = "HOLD_WAITS"
    RETURN_OVERDUE = "RETURN_OVERDUE"
    QUARANTINE_WAITS = "QUARANTINE_WAITS"
    DIFFERENCE_WAITS = "DIFFERENCE_WAITS"
    REGISTER_NOT_TOLD = "REGISTER_NOT_TOLD"
    DRILL_OVERDUE = "DRILL_OVERDUE"

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return _SAID[self].severity

    @property
    def zh(self) -> str:
        """What is wrong."""
        return _SAID[self].zh

    @property
    def en(self) -> str:
        """The same in English."""
        return _SAID[self].en

    @property
    def next_zh(self) -> str:
        """What to do."""
        return _SAID[self].next_zh

    @property
    def next_en(self) -> str:
        """The same in English."""
        return _SAID[self].next_en


class _Said(msgspec.Struct, frozen=True):
    severity: Severity
    zh: str
    en: str
    next_zh: str
    next_en: str


_SAID = {
    AlarmCode.BOOKS_NOT_TRUE: _Said(
        Severity.CRITICAL,
        "账目不平。",
        "The books are not true.",
        "停止服务，原样复制数据库，联系我们；切勿手工改账。",
        "Stop, copy the database as it is, call us: the books never change by hand.",
    ),
    AlarmCode.NOTHING_HEARD: _Said(
        Severity.CRITICAL,
        "营业时间内没有任何设备上报。",
        "In hours of opening no device at all has reported.",
        "检查中心的网络和证书，再看 settlement devices ls。",
        "Check the centre's own line first, then settlement devices ls.",
    ),
    AlarmCode.NIGHT_OVERDUE: _Said(
        Severity.CRITICAL,
        "对账未按时完成。",
        "A night that should be complete is not.",
        "执行 settlement night run --date，它会指出哪个文件缺少、到得过早或已不是同一份。",
        "Run settlement night run --date for the day: it names the file that has not come, came too early "
        "or is another one.",
    ),
    AlarmCode.FUND_USED_UP: _Said(
        Severity.CRITICAL,
        "资金已用完，不再核准补贴。",
        "A funder's money is used up: nothing more is granted.",
        "请出资方追加资金（settlement top-up），或冻结活动并公告。",
        "Ask the funder for more (settlement top-up), or freeze the programme and say so.",
    ),
    AlarmCode.FUND_90_USED: _Said(
        Severity.WARNING,
        "资金已使用90%。",
        "90 % of a funder's money is used.",
        "通知出资方；看 settlement ledger balances。",
        "Tell the funder; see settlement ledger balances.",
    ),
    AlarmCode.FUND_80_USED: _Said(
        Severity.WARNING,
        "资金已使用80%。",
        "80 % of a funder's money is used.",
        "通知出资方；看 settlement ledger balances。",
        "Tell the funder; see settlement ledger balances.",
    ),
    AlarmCode.FILE_NOT_TAKEN: _Said(
        Severity.WARNING,
        "文件夹中的对账文件与已入账的不是同一份，系统不会自动采用。",
        "A file in the night's folder is not the one on record, and no night takes it by itself.",
        "核对两份文件；要采用新文件，执行 settlement night run --date 日期 --replace 来源。",
        "Look at both; to let the new one count, run settlement night run --date DAY --replace SOURCE.",
    ),
    AlarmCode.DEVICE_FROZEN: _Said(
        Severity.WARNING,
        "设备被冻结，门店无法核准补贴。",
        "A device is frozen: its shop gets no grants from it.",
        "查明原因后执行 settlement devices replace，或由两人 settlement devices unfreeze。",
        "Find out why, then settlement devices replace, or settlement devices unfreeze by two people.",
    ),
    AlarmCode.DEVICE_SILENT: _Said(
        Severity.WARNING,
        "设备超过上报时限未上报，且有未结束的预占。",
        "A device with open holds has been silent for longer than it may.",
        "联系门店启动主机、检查网络；看 settlement holds ls --device。",
        "Call the shop: start its host, check its line; see settlement holds ls --device.",
    ),
    AlarmCode.HOLD_WAITS: _Said(
        Severity.WARNING,
        "预占到期多日仍未结束，资金一直被占用。",
        "A hold whose time was over days ago is still open, and its money is held.",
        "执行 settlement holds explain 查看缺少哪项凭据；无凭据可等时由两人 settlement holds release。",
        "settlement holds explain says which proof is missing; where none will come, two people end it "
        "with settlement holds release.",
    ),
    AlarmCode.RETURN_OVERDUE: _Said(
        Severity.WARNING,
        "退货超过时限仍未有结果。",
        "A return has been under way for longer than it may.",
        "联系门店；对账文件将给出结果。",
        "Call the shop; the night's file decides what became of the refund.",
    ),
    AlarmCode.QUARANTINE_WAITS: _Said(
        Severity.WARNING,
        "无法读取的上报已搁置多日。",
        "An entry that could not be taken has waited for days.",
        "在 GET /v1/differences 查看原因；DEVICE/EPOCH/SEQ 由两人 settlement entries settle 了结，"
        "销售记录由两人 settlement records settle。",
        "GET /v1/differences says why; two people end it: DEVICE/EPOCH/SEQ with settlement entries settle, "
        "a record with settlement records settle.",
    ),
    AlarmCode.DIFFERENCE_WAITS: _Said(
        Severity.WARNING,
        "差异多日未处理。",
        "A difference has waited for days.",
        "由差异负责人处理（GET /v1/differences）。",
        "Its owner decides; it stands in GET /v1/differences.",
    ),
    AlarmCode.REGISTER_NOT_TOLD: _Said(
        Severity.WARNING,
        "已退还的资格或序列号尚未通知共享登记库，其他活动仍视为已占用。",
        "What was given back has not been told to a shared register: elsewhere it still counts as taken.",
        "检查登记库的数据库是否可达；恢复后服务会自动通知。",
        "See that the register's database can be reached: the service tells it by itself then.",
    ),
    AlarmCode.DRILL_OVERDUE: _Said(
        Severity.WARNING,
        "超过30天没有成功的恢复演练。",
        "For 30 days no drill has shown that the books can be restored.",
        "执行 settlement backup，再执行 settlement drill。",
        "Run settlement backup, then settlement drill.",
    ),
}


class Alarm(msgspec.Struct, frozen=True):
    """An alarm that rings: how many things it is `about` (the first twenty are named), the oldest `since_ms`.

    `since_ms` is None when it cannot be told.
    """

    code: AlarmCode
    severity: Severity
    since_ms: int | None
    count: int
    about: tuple[str, ...]
    zh: str
    en: str
    next_zh: str
    next_en: str
