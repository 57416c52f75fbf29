"""Which policy packs lie in this folder?"""

from pathlib import Path

from subsidy.policy.model import Pack
from subsidy.policy.read_pack import read_packs
from subsidy.strict.yaml_text import FileError


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
    """Return the file's text. Raises FileError when it cannot be read or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as wrong:
        raise FileError(str(path), 1, "", f"cannot be read ({wrong.strerror})", "Check the path") from None
    except UnicodeDecodeError as wrong:
        raise FileError(str(path), 1, "", f"byte {wrong.start} is not UTF-8", "Save it as UTF-8") from None
