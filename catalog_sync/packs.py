"""Which policy packs lie in this folder?"""

from pathlib import Path

from subsidy.policy.model import Pack
from subsidy.policy.read_pack import read_packs
from subsidy.strict.yaml_text import FileError

MOST_BYTES = 16 << 20


def read_folder(folder: Path) -> dict[str, Pack]:
    """Return the packs of the `*.yaml` files in `folder` by programme. Raises FileError."""
    return read_packs(read_texts(folder))


def read_texts(folder: Path) -> dict[str, str]:
    """Return the texts of the `*.yaml` files in `folder` by file name. Raises FileError."""
    paths = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    if not paths:
        raise FileError(
            str(folder), 1, "", "no policy file in this folder", "Name the folder that holds *.yaml"
        )
    return {path.name: read_text(path) for path in paths}


def read_text(path: Path) -> str:
    """Return the file's text, byte for byte. Raises FileError when it cannot be read or is not UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as wrong:
        raise FileError(str(path), 1, "", f"cannot be read ({wrong.strerror})", "Check the path") from None
    if len(raw) > MOST_BYTES:
        raise FileError(str(path), 1, "", f"more than {MOST_BYTES} bytes", "Split the file")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        raise FileError(str(path), line, "", f"byte {wrong.start} is not UTF-8", "Save it as UTF-8") from None
