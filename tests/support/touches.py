"""Which lines of a Python file touch the world outside it: its clock, randomness, threads, files, network?

Read from the syntax tree, not from a run: what a file could do counts, whether or not a test does it.
Names are followed through `import x as y`, `from x import y as z`, `z = y`, attribute chains, `getattr`
with a plain name, and through modules of our own that hold an imported one. What no reader could follow
(`importlib`, `exec`, `eval`, `os` handed on as a value) is a touch itself, of kind "code".
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("subsidy", "catalog_sync", "settlement", "terminal_agent")


def _module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {
    str(file.relative_to(ROOT)): file for name in PACKAGES for file in sorted((ROOT / name).rglob("*.py"))
}
OURS = frozenset(map(_module_name, FILES.values()))

# Importing one of these, or anything inside it, is a touch.
_MODULES: Mapping[str, str] = {
    **dict.fromkeys(("time", "sched"), "clock"),
    **dict.fromkeys(("random", "secrets"), "randomness"),
    **dict.fromkeys(
        ("threading", "_thread", "queue", "concurrent", "multiprocessing", "asyncio", "anyio"),
        "threads",
    ),
    **dict.fromkeys(("litestar.concurrency", "apscheduler"), "threads"),
    **dict.fromkeys(("subprocess", "signal"), "process"),
    **dict.fromkeys(("platform", "getpass", "pwd"), "environment"),
    **dict.fromkeys(("socket", "select", "selectors", "ssl", "socketserver", "http.client"), "network"),
    **dict.fromkeys(("http.server", "urllib.request", "requests", "urllib3", "uvicorn"), "network"),
    **dict.fromkeys(("serial", "pty", "tty", "termios"), "serial"),
    **dict.fromkeys(("shutil", "tempfile", "glob", "fcntl", "mmap", "fileinput", "linecache"), "files"),
    **dict.fromkeys(("pysqlite3", "sqlite_utils"), "database"),
    **dict.fromkeys(("logging", "structlog"), "log"),
    **dict.fromkeys(("importlib", "runpy", "pkgutil", "zipimport", "pickle", "marshal"), "code"),
    "ctypes": "library",
    "sqlite3": "sqlite3",
}
_HARMLESS = ("importlib.metadata",)
# Parts of modules that are otherwise fine.
_PARTS: Mapping[str, str] = {
    **dict.fromkeys(("uuid.uuid1", "uuid.uuid4", "uuid.getnode"), "randomness"),
    **dict.fromkeys(("io.open", "io.FileIO", "codecs.open", "gzip.open", "tokenize.open"), "files"),
    **dict.fromkeys(("pathlib.Path.cwd", "pathlib.Path.home"), "environment"),
    **dict.fromkeys(("sys.stdin", "sys.stdout", "sys.stderr"), "log"),
    **dict.fromkeys(("sys.argv", "sys.platform"), "environment"),
    **dict.fromkeys(("sys.exit",), "process"),
    **dict.fromkeys(("sys.modules", "sys.meta_path", "sys.path"), "code"),
    **dict.fromkeys(("sqlalchemy.create_engine", "sqlalchemy.engine_from_config"), "database"),
}
# Handed on as values they can be asked for anything.
_WHOLE = ("os", "sys", "builtins", "io", "uuid")
# The rest of `os` is files: open, read, write, fsync, replace, listdir, path.exists ...
_OS: Mapping[str, str] = {
    **dict.fromkeys(("urandom", "getrandom"), "randomness"),
    **dict.fromkeys(
        ("environ", "environb", "getenv", "getcwd", "getlogin", "getuid", "uname"), "environment"
    ),
    **dict.fromkeys(("_exit", "abort", "kill", "fork", "system", "popen", "getpid", "wait"), "process"),
    **dict.fromkeys(("execv", "execve", "execvp", "spawnv", "posix_spawn"), "process"),
    **dict.fromkeys(("openpty", "ttyname"), "serial"),
}
_BUILTINS: Mapping[str, str] = {
    **dict.fromkeys(("exec", "eval", "compile", "__import__", "__builtins__", "globals"), "code"),
    **dict.fromkeys(("print", "input", "breakpoint"), "log"),
    "open": "files",
}
# Methods that touch whatever object they are called on; a value's type is not known here.
_METHODS: Mapping[str, str] = {
    **dict.fromkeys(("now", "utcnow", "today"), "clock"),
    **dict.fromkeys(
        ("read_text", "write_text", "read_bytes", "write_bytes", "unlink", "mkdir", "rmdir", "touch"), "files"
    ),
    **dict.fromkeys(("exists", "is_file", "is_dir", "stat", "lstat", "iterdir", "rglob", "glob"), "files"),
    **dict.fromkeys(("symlink_to", "hardlink_to", "readlink", "chmod", "rename", "expanduser"), "files"),
}
_MODE = frozenset("rwxabt+")
_OPEN_WORDS = {"mode", "buffering", "encoding", "errors", "newline"}


@dataclass(frozen=True, slots=True)
class Touch:
    """One place that touches the outside, which kind of outside, and through what."""

    line: int
    kind: str
    what: str


def touches(source: str) -> list[Touch]:
    """Return every touch of a Python file, in the order of its lines."""
    return sorted(set(_Reader(ast.parse(source)).found()), key=lambda one: (one.line, one.what))


class _Reader:
    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._names: dict[str, set[str]] = {}  # a name of this file -> the dotted things it may be
        self._defined = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }
        self._asked = {id(_attribute(node)[0]) for node in ast.walk(tree)}  # the objects before a dot
        for node in ast.walk(tree):
            self._learn(node)

    def found(self) -> Iterator[Touch]:
        """Yield what is found, a thing that is found in two ways twice."""
        for node in ast.walk(self._tree):
            for kind, what in (*_of_import(node), *self._of_value(node), *self._of_call(node)):
                yield Touch(getattr(node, "lineno", 0), kind, what)

    def _learn(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for one in node.names:
                bound = one.asname or one.name.partition(".")[0]
                self._names.setdefault(bound, set()).add(one.name if one.asname else bound)
        elif isinstance(node, ast.ImportFrom):
            for one in node.names:
                self._names.setdefault(one.asname or one.name, set()).add(f"{node.module}.{one.name}")
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            # `now = datetime.now` gives a thing another name, `port = serial.Serial()` a part of it.
            made = node.value.func if isinstance(node.value, ast.Call) else node.value
            theirs = {one for one in self._dotted(made) if one.partition(".")[0] not in PACKAGES}
            self._names.setdefault(node.targets[0].id, set()).update(theirs)

    def _dotted(self, node: ast.AST) -> set[str]:
        """Return the dotted things that an expression may be; none when it is a value of this file."""
        if isinstance(node, ast.Name):
            return self._names.get(node.id, set())
        inner, name = _attribute(node)
        return {f"{one}.{name}" for one in self._dotted(inner)} if inner is not None else set()

    def _of_value(self, node: ast.AST) -> Iterator[tuple[str, str]]:
        dotted = self._dotted(node)
        for one in dotted:
            yield from _of_dotted(one)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id in _BUILTINS and node.id not in self._names and node.id not in self._defined:
                yield _BUILTINS[node.id], node.id
            if dotted & {*_WHOLE} and id(node) not in self._asked:
                yield "code", f"{node.id} handed on"
        name = _attribute(node)[1]
        if name in _METHODS and not any(_is_function_of_ours(one, name) for one in dotted):
            yield _METHODS[name], f".{name}"

    def _of_call(self, node: ast.AST) -> Iterator[tuple[str, str]]:
        if not isinstance(node, ast.Call):
            return
        dotted, name = self._dotted(node.func), _attribute(node.func)[1]
        if any(_is_function_of_ours(one, name) or any(_of_dotted(one)) for one in dotted):
            return  # a function of ours, or what is a touch already
        words = {one.arg for one in node.keywords}
        if name == "replace" and len(node.args) == 1 and not words:
            yield "files", ".replace"  # text's takes two, a date's takes names
        if name == "resolve" and not node.args and words <= {"strict"}:
            yield "files", ".resolve"
        if name == "astimezone" and not node.args and not words:
            yield "environment", ".astimezone"  # the host's own zone
        if name == "open" and _opens_a_file(node, words):
            yield "files", ".open"


def _of_import(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        for one in node.names:
            yield from _of_dotted(one.name)
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        for one in node.names:
            yield from _of_dotted(f"{node.module}.{one.name}")


def _of_dotted(dotted: str) -> Iterator[tuple[str, str]]:
    """Yield the touch that a dotted thing is."""
    dotted = _behind_ours(dotted)
    parts = dotted.split(".")
    heads = [".".join(parts[:n]) for n in range(1, len(parts) + 1)]
    if any(head in _HARMLESS for head in heads):
        return
    if parts[0] == "os":
        if len(parts) > 1:
            yield _OS.get(parts[1], "files"), ".".join(parts[:2])
        return
    if parts[0] == "builtins":
        if len(parts) > 1 and parts[1] in _BUILTINS:
            yield _BUILTINS[parts[1]], parts[1]
        return
    for head in heads:
        if head in _MODULES:
            yield _MODULES[head], head
            return
        if head in _PARTS:
            yield _PARTS[head], head
            return
    if parts[0] == "datetime" and parts[-1] in ("now", "utcnow", "today"):
        yield "clock", dotted


def _behind_ours(dotted: str) -> str:
    """Return what stands behind a module of ours: `settlement.system.threading.Lock` is `threading.Lock`."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        if ".".join(parts[:end]) in OURS:
            return ".".join(parts[end:])
    return dotted


def _is_function_of_ours(dotted: str, name: str) -> bool:
    """Whether `name` is defined in a module of ours: `csv_rows.read_bytes` is no method of a path."""
    return dotted.partition(".")[0] in PACKAGES and _behind_ours(dotted) == name


def _attribute(node: ast.AST) -> tuple[ast.AST | None, str]:
    """Return (object, name) of `object.name` and of `getattr(object, "name")`, else (None, "")."""
    if isinstance(node, ast.Attribute):
        return node.value, node.attr
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "getattr"
        and len(node.args) >= 2
        and isinstance(node.args[1], ast.Constant)
    ):
        return node.args[0], str(node.args[1].value)
    return None, ""


def _opens_a_file(call: ast.Call, words: set[str | None]) -> bool:
    """Whether `x.open(...)` can be a path's: nothing, or a mode, or words that only a file takes."""
    if not call.args:
        return not words or bool(words & _OPEN_WORDS)
    first = call.args[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return set(first.value) <= _MODE
    return len(call.args) == 1
