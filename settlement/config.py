"""What does this centre's configuration say, and where did each value come from?

One YAML file, over it the environment (`SETTLEMENT_DATABASE`), over that the command line
(`--set database=...`). Unknown keys are refused in all three. Relative paths, wherever they are
written, are relative to the file.
"""

import datetime
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, BeforeValidator, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from settlement.db.place import Place, read_place
from settlement.people.credentials import TOKEN_FILE_VARIABLE, TOKEN_VARIABLE
from settlement.registers.config import RegisterSettings, read_registers
from subsidy.strict import yaml_text
from subsidy.strict.digits import read_count
from subsidy.strict.yaml_text import FileError

PREFIX = "SETTLEMENT_"
# Read by the command line itself: where the file is.
CONFIG_VARIABLE = "SETTLEMENT_CONFIG"
OF_THE_COMMAND_LINE = (CONFIG_VARIABLE, TOKEN_VARIABLE, TOKEN_FILE_VARIABLE)
DEFAULT = "default"
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)


class SettingWrong(FileError):
    """A value from the environment or the command line that cannot be taken."""

    def __init__(self, origin: str, problem: str, remedy: str) -> None:
        super().__init__(origin, 1, "", problem, remedy)
        self.args = (f"{origin}: {problem}. {remedy}",)


class AddressTaken(Exception):
    """The address cannot be listened on. The message says why and what to do."""


class Listen(msgspec.Struct, frozen=True):
    """The address that the centre listens on. Port 0 is any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _flag(value: object) -> object:
    # The environment has only text; pydantic alone would also take 1, "yes" and "on".
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in ("true", "false"):
        raise ValueError("neither true nor false")
    return value == "true"


def _name(value: str) -> str:
    if not value.strip() or value != value.strip() or not value.isprintable():
        raise ValueError("empty, or with a space or control character around it")
    return value


def _place(value: object) -> object:
    if isinstance(value, tuple):
        return read_place(_name(value[0]), value[1])
    return value


def _listen(value: object) -> object:
    if isinstance(value, Listen):
        return value
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not host:
        raise ValueError('not an address and port, as in "127.0.0.1:8600"')
    return Listen(host.removeprefix("[").removesuffix("]"), read_count(port, 65_535))


def _count(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("not a whole number")
    found = read_count(str(value), 1_000_000)
    if found < 1:
        raise ValueError("less than 1")
    return found


def _registers(value: object) -> object:
    if not isinstance(value, RegisterSettings):
        raise ValueError("registers are named in the file alone")
    return value


def _time(value: object) -> object:
    if value is None or isinstance(value, datetime.time):
        return value
    if value in ("", "never"):
        return None
    if not isinstance(value, str) or _TIME.fullmatch(value) is None:
        raise ValueError('not a time of day, as in "10:30", or never')
    return datetime.time.fromisoformat(value)


Name = Annotated[str, AfterValidator(_name)]


class Settings(BaseSettings):
    """The centre's settings. Build it with `read_settings`."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix=PREFIX, arbitrary_types_allowed=True
    )

    programme: Name
    policies: Path
    database: Annotated[Place, BeforeValidator(_place)]
    keys: Path
    listen: Annotated[Listen, BeforeValidator(_listen)] = Listen("127.0.0.1", 8600)
    training: Annotated[bool, BeforeValidator(_flag)] = False
    night: Path | None = None
    backups: Path | None = None
    night_at: Annotated[datetime.time | None, BeforeValidator(_time)] = None
    holds_per_device_s: Annotated[int, BeforeValidator(_count)] = 50
    registers: Annotated[RegisterSettings, BeforeValidator(_registers)] = RegisterSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take nothing but what `read_settings` has gathered: it knows each value's origin."""
        return (init_settings,)


class Value(msgspec.Struct, frozen=True):
    """One setting as `config show --origin` prints it."""

    name: str
    value: str
    origin: str


class Loaded(msgspec.Struct, frozen=True):
    """The settings, the file they are of, and the origin of each."""

    settings: Settings
    file: Path
    origins: dict[str, str]

    def values(self) -> list[Value]:
        """Return every setting with its origin, in the order of the model."""
        return [
            Value(name, _shown(getattr(self.settings, name)), self.origins.get(name, DEFAULT))
            for name in Settings.model_fields
        ]


def read_settings(
    file: Path, overrides: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Loaded:
    """Return the settings of `file`. Raises FileError with what is wrong where, and what to do.

    Args:
        file: the YAML file.
        overrides: `key=value` from the command line; they win.
        environment: the process's own when None.
    """
    text = _text(file)
    root = yaml_text.read(text, str(file))
    nodes = root.mapping(optional=Settings.model_fields)
    lines = {key: node.line for key, node in nodes.items()}
    folder = file.absolute().parent
    plain: dict[str, Any] = root.plain()
    if "registers" in nodes:
        plain["registers"] = read_registers(nodes["registers"], str(file), folder)
    gathered = [
        _Source({key: str(file) for key in lines}, plain),
        _from_environment(os.environ if environment is None else environment),
        _from_command_line(overrides),
    ]
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source in gathered:
        values.update(source.values)
        origins.update(source.origins)
    folder = file.absolute().parent
    for key in ("policies", "keys", "night", "backups"):
        if isinstance(values.get(key), str) and values[key].strip():
            values[key] = folder / values[key]
    if isinstance(values.get("database"), str):
        values["database"] = (values["database"], folder)
    try:
        settings = Settings(**values)
    except ValidationError as wrong:
        raise _error(file, lines, origins, wrong) from None
    shown = {
        key: f"{origin}, line {lines[key]}" if origin == str(file) else origin
        for key, origin in origins.items()
    }
    return Loaded(settings, file, shown)


class _Source(msgspec.Struct, frozen=True):
    origins: dict[str, str]
    values: dict[str, Any]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as wrong:
        remedy = f"Name the file with --config or {CONFIG_VARIABLE}"
        raise FileError(str(file), 1, "", f"cannot be read ({wrong.strerror})", remedy) from None
    except UnicodeDecodeError as wrong:
        raise FileError(str(file), 1, "", f"byte {wrong.start} is not UTF-8", "Save it as UTF-8") from None


def _from_environment(environment: Mapping[str, str]) -> _Source:
    found: dict[str, Any] = {}
    origins = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or variable in OF_THE_COMMAND_LINE:
            continue
        key = variable.removeprefix(PREFIX).lower()
        if variable != variable.upper() or key not in Settings.model_fields:
            known = ", ".join(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)
            raise SettingWrong(f"the environment's {variable}", "unknown", f"Known: {known}")
        found[key] = value
        origins[key] = f"the environment's {variable}"
    return _Source(origins, found)


def _from_command_line(overrides: Sequence[str]) -> _Source:
    found: dict[str, Any] = {}
    origins = {}
    for one in overrides:
        key, equals, value = one.partition("=")
        if not equals or key not in Settings.model_fields:
            known = ", ".join(Settings.model_fields)
            raise SettingWrong(
                f"--set {key}",
                "not a known key=value",
                f"Write as in --set listen=127.0.0.1:8600; known: {known}",
            )
        found[key] = value
        origins[key] = f"--set {key}"
    return _Source(origins, found)


def _error(
    file: Path, lines: Mapping[str, int], origins: Mapping[str, str], wrong: ValidationError
) -> FileError:
    first = wrong.errors(include_url=False, include_input=False)[0]
    key = str(first["loc"][0]) if first["loc"] else ""
    problem = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "missing":
        return FileError(str(file), 1, key, f"{key} is missing", f"Add `{key}:`, as in the example file")
    origin = origins.get(key, str(file))
    remedy = "Correct it as the example file shows"
    if origin != str(file):
        return SettingWrong(origin, problem, remedy)
    return FileError(str(file), lines.get(key, 1), key, problem, remedy)


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.time):
        return value.isoformat("minutes")
    return str(value).lower() if isinstance(value, bool) else str(value)
