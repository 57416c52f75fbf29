"""Only the adapters touch the outside: clock, randomness, threads, files, network, terminal, database.

So one seed can run shops, networks, terminals and the centre in one process, and every failure replays.
What counts as a touch is in `tests/support/touches.py`. A new entry here is a decision: the file must be
where somebody would look for this kind of outside, and must not decide anything.
"""

import ast

import pytest
from touches import FILES, OURS, PACKAGES, touches

KINDS = {
    "clock": "what time it is, how long it took, waiting",
    "randomness": "what nobody can guess",
    "threads": "more than one thing at once, and queues and locks between them",
    "process": "other processes, signals, this process's own end",
    "environment": "what the host says of itself",
    "network": "sockets and HTTP",
    "serial": "serial ports and pseudo-terminals",
    "files": "anything on disk",
    "database": "SQLite",
    "log": "what is written for people: logs, standard output",
    "library": "a vendor's library, called by its binary interface",
    "code": "a module by its name, from a table that can be read",
}

MAY = {
    # The shop.
    "terminal_agent/system.py": (
        "clock randomness threads process environment files",
        "the host's clocks, randomness, threads, name, end of the process and growing file",
    ),
    "terminal_agent/log.py": ("log", "the one log, every text scrubbed"),
    "terminal_agent/doctor.py": ("database", "looks at SQLite's version"),
    "terminal_agent/journal/hold.py": ("files database", "keeps every agent from the journal for a while"),
    "terminal_agent/journal/open.py": ("files database", "opens the journal, durable or not at all"),
    "terminal_agent/journal/connection.py": ("database", "a commit in database and black box"),
    "terminal_agent/journal/watch.py": ("database", "notes changed rows, and what all come to"),
    "terminal_agent/journal/check.py": (
        "database",
        "looks whether it all is what was written",
    ),
    "terminal_agent/journal/black_box.py": ("files", "which black boxes there are"),
    "terminal_agent/journal/recover.py": ("files database", "has database and black box agree"),
    "terminal_agent/journal/mend.py": ("files", "puts what was made anew in the damaged one's place"),
    "terminal_agent/journal/schema.py": ("database", "the journal's tables"),
    "terminal_agent/journal/journal.py": ("database", "one call, one transaction"),
    "terminal_agent/journal/outbox.py": ("database", "the outbox's rows, in the caller's transaction"),
    "terminal_agent/journal/read_return.py": ("database", "a return from its row"),
    "terminal_agent/journal/moves.py": ("database", "what every part of the journal has from the whole"),
    "terminal_agent/journal/pin_tries.py": ("database", "tries of PINs, in the caller's transaction"),
    "terminal_agent/sync/line.py": ("network", "the one line to the centre"),
    "terminal_agent/sync/centre.py": ("files", "keeps fetched packs by their hash"),
    "terminal_agent/sync/device_key.py": ("files", "the device's key, readable by its user only"),
    "terminal_agent/sync/schedule.py": ("threads", "APScheduler's triggers run beside the workers"),
    "terminal_agent/terminals/link_serial.py": ("serial", "the one serial line"),
    "terminal_agent/terminals/direct/line.py": ("network", "the line to an acquirer's host"),
    "terminal_agent/terminals/direct/training_pinpad.py": ("files", "the training pinpad's counter"),
    "terminal_agent/terminals/relay/forward.py": ("network", "passes a terminal's bytes on to its acquirer"),
    "terminal_agent/terminals/relay/hand_over.py": (
        "network",
        "carries a frame that came over a serial line",
    ),
    "terminal_agent/traces/write_trace.py": ("files", "what passed on a link, masked, while it is asked for"),
    "terminal_agent/cli_trace.py": ("files", "writes a case file, and never over another"),
    "terminal_agent/terminals/mis_call.py": ("process", "calls the MIS client in a child process"),
    "terminal_agent/terminals/mis_child.py": (
        "environment library log network",
        "that child: a program of its own, ended after one call of the vendor's client",
    ),
    "terminal_agent/terminals/link_tcp.py": ("network", "the one connection to a terminal on the network"),
    "terminal_agent/terminals/tls.py": ("network", "TLS over a line, with the files of a profile"),
    "terminal_agent/till/app.py": (
        "threads network",
        "serves the till API, with room for requests that wait",
    ),
    "terminal_agent/till/routes.py": (
        "threads",
        "a stream of changes is the one thing that runs in the loop",
    ),
    "terminal_agent/till/local.py": ("network", "is an agent running here, is the port free?"),
    "terminal_agent/bounded_http.py": ("network", "bounds an exchange on its sockets, head and body"),
    "terminal_agent/channels/one_exchange.py": ("network", "one request to a channel and its answer"),
    "terminal_agent/channels/key_files.py": ("files", "a merchant's keys, read again when they change"),
    "terminal_agent/certify/control.py": ("network", "an emulator's control address"),
    "terminal_agent/certify/on_watched_lines.py": ("network", "both ends of a line that passes through us"),
    "terminal_agent/certify/watched_ends.py": ("network", "what the ends of such a line have in common"),
    "terminal_agent/certify/calling_end.py": ("network", "faults where a terminal calls us"),
    "terminal_agent/certify/acquirers_end.py": ("network", "faults between us and its acquirer"),
    "terminal_agent/certify/on_http.py": ("network", "faults at our own end of a channel's exchanges"),
    # The other side of each link: a program of its own, which shares nothing with the agent's adapters.
    "terminal_agent/emulators/books.py": ("files clock", "the acquirer's books, on disk before the answer"),
    "terminal_agent/emulators/control.py": ("network threads", "its control address, beside the loop"),
    "terminal_agent/emulators/loop.py": ("clock files network threads", "bytes, due times and questions"),
    "terminal_agent/emulators/pty_link.py": ("serial files process", "a pseudo-terminal behind a link"),
    "terminal_agent/emulators/run_terminal.py": ("clock files process log", "puts it together, transcript"),
    "terminal_agent/emulators/run_network.py": ("clock files log", "the same for one on the network"),
    "terminal_agent/emulators/serial_asker.py": (
        "clock randomness threads",
        "the cable over which a terminal hands its frames, and each one's number",
    ),
    "terminal_agent/emulators/tcp_link.py": ("network", "its connections"),
    "terminal_agent/emulators/mis.py": ("process", "the fault that kills the agent at a point"),
    "terminal_agent/emulators/nexo.py": ("process", "the fault that kills the agent at a point"),
    "terminal_agent/emulators/terminal.py": ("process", "the fault that kills the agent at a point"),
    "terminal_agent/emulators/run_host.py": ("log process threads", "puts the acquirer's host together"),
    "terminal_agent/emulators/host.py": ("clock randomness", "session keys, and the host's own time"),
    "terminal_agent/emulators/host_books.py": ("clock", "the host's books, in its own time"),
    "terminal_agent/emulators/host_line.py": (
        "clock network process threads",
        "serves the host's line, with its faults",
    ),
    "terminal_agent/emulators/run_alipay.py": ("log process threads", "puts Alipay's side together"),
    "terminal_agent/emulators/alipay_books.py": ("clock", "the channel's books, in its own time"),
    "terminal_agent/emulators/alipay_http.py": (
        "clock network process randomness threads",
        "serves the gateway, with its faults",
    ),
    "terminal_agent/emulators/alipay_signing.py": (
        "clock files",
        "keys and certificates that this emulator makes for itself, and signatures under them",
    ),
    "terminal_agent/emulators/run_wechat.py": ("log process threads", "puts WeChat's side together"),
    "terminal_agent/emulators/wechat_books.py": ("clock", "the channel's books, in its own time"),
    "terminal_agent/emulators/wechat_http.py": (
        "clock network process randomness threads",
        "serves the channel's addresses, with their faults",
    ),
    "terminal_agent/emulators/run_line_terminal.py": ("log process threads", "puts that terminal together"),
    "terminal_agent/emulators/line_terminal.py": ("network", "a terminal that calls its acquirer itself"),
    "terminal_agent/emulators/wechat_signing.py": (
        "clock files randomness",
        "keys that this emulator makes for itself, and signatures under them",
    ),
    "terminal_agent/emulators/run_unionpay.py": ("log process threads", "puts UnionPay's side together"),
    "terminal_agent/emulators/unionpay_books.py": ("clock", "the channel's books, in its own time"),
    "terminal_agent/emulators/unionpay_http.py": (
        "clock network process threads",
        "serves the channel's addresses, with their faults",
    ),
    "terminal_agent/emulators/unionpay_signing.py": (
        "clock files",
        "certificates that this emulator makes for itself, and signatures under them",
    ),
    # The centre.
    "settlement/system.py": (
        "clock randomness threads",
        "the centre's clock, randomness, threads and locks",
    ),
    "settlement/logs.py": ("log", "the one log, every value scrubbed"),
    "settlement/config.py": (
        "files environment",
        "the configuration file and what the environment says over it",
    ),
    "settlement/cli_copies.py": ("files", "looks whether a file or a folder is named for a backup"),
    "settlement/cli_rebuild.py": ("files", "makes a folder for the books made anew, and throws it away"),
    "settlement/copies/backup.py": ("database files", "copies an SQLite database page by page"),
    "settlement/copies/drill.py": ("files", "makes a folder for the books of a drill, and throws it away"),
    "settlement/copies/files.py": ("files", "puts files in place whole or not at all"),
    "settlement/copies/manifest.py": ("files", "the paper beside a backup"),
    "settlement/copies/pg_tools.py": ("environment files process", "runs PostgreSQL's own programs"),
    "settlement/copies/restore.py": ("files", "puts the file of a backup in its place"),
    "settlement/copies/sqlite_file.py": ("database files", "opens copies to look at and files to throw away"),
    "settlement/set_up.py": ("files", "makes the folder of the database's file"),
    "settlement/db/connection.py": ("database files", "opens the database, durable or not at all"),
    "settlement/db/serving.py": ("files", "tells services from commands that must be alone, by a lock"),
    "settlement/db/whose.py": ("database files", "looks whose database a file is before it is changed"),
    "settlement/registers/database.py": (
        "files",
        "looks whether a register's file is there: it is never made empty",
    ),
    "settlement/reconcile/incoming.py": ("files", "reads what channels and acquirers have sent"),
    "settlement/reconcile/sources/zip_members.py": ("files", "unpacks a zip, in memory"),
    "settlement/reconcile/lock.py": ("files", "keeps one night from another, until its process ends"),
    "settlement/reconcile/schedule.py": ("threads", "APScheduler's triggers run beside the service"),
    "settlement/reconcile/wiring.py": ("files", "reads the file of the night's sources"),
    "settlement/sources/csv_rows.py": ("files", "reads a file of reference data"),
    "settlement/sources/key_files.py": ("files", "makes and reads the centre's keys"),
    "settlement/web/later.py": ("threads", "carries answers from the writer's thread into the event loop"),
    "settlement/web/serve.py": (
        "network threads process",
        "serves the centre, with deadlines, until a signal",
    ),
    "settlement/web/signed.py": ("threads", "checks signatures beside the loop"),
    "settlement/web/strict_request.py": ("threads", "reads large bodies beside the loop"),
    "settlement/web/login.py": ("threads", "checks logins beside the loop, and lets wrong ones wait in it"),
    "settlement/web/guard.py": ("threads", "looks up who asks beside the loop"),
    "settlement/web/audited.py": ("threads", "writes the audit beside the loop"),
    "settlement/people/credentials.py": ("environment files", "the token and the account of a command"),
    # Reference data.
    "catalog_sync/commands.py": ("code", "loads a program's command when it is asked for"),
    "catalog_sync/packs.py": ("files", "reads a folder of packs"),
    "catalog_sync/private_file.py": ("files", "looks whether others may read a key"),
    "catalog_sync/data_file.py": ("files", "reads a file of facts or records"),
    "catalog_sync/check_files.py": ("files", "finds the files beside the one that is checked"),
}

LOADER = "catalog_sync/commands.py"
LOADER_NAME = "catalog_sync.commands"


def test_there_is_something_to_look_at():
    assert {file.partition("/")[0] for file in FILES} == set(PACKAGES)
    assert len(FILES) > 100


@pytest.mark.parametrize("file", FILES)
def test_only_an_adapter_touches_the_outside(file):
    allowed = MAY.get(file, ("", ""))[0].split()
    found = touches(FILES[file].read_text(encoding="utf-8"))
    assert [f"line {one.line}: {one.what} ({one.kind})" for one in found if one.kind not in allowed] == []


@pytest.mark.parametrize("file", MAY)
def test_an_adapter_may_touch_no_more_than_it_does(file):
    kinds, why = MAY[file]
    found = {one.kind for one in touches(FILES[file].read_text(encoding="utf-8"))}
    assert set(kinds.split()) == found
    assert why


def test_the_shared_rules_touch_nothing():
    assert [file for file in MAY if file.startswith("subsidy/")] == []


def test_nothing_may_be_allowed_what_nobody_can_follow_or_another_sqlite():
    assert {kind for kinds, _ in MAY.values() for kind in kinds.split()} <= set(KINDS)
    assert [file for file, (kinds, _) in MAY.items() if "code" in kinds.split()] == [LOADER]


def nodes(file):
    return ast.walk(ast.parse(FILES[file].read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "file", [one for one in FILES if "commands_at" in FILES[one].read_text() and one != LOADER]
)
def test_a_command_that_is_loaded_by_name_can_be_followed(file):
    calls = [
        one for one in nodes(file) if isinstance(one, ast.Call) and ast.unparse(one.func) == "commands_at"
    ]
    assert len(calls) == sum(isinstance(one, ast.Name) and one.id == "commands_at" for one in nodes(file)) > 0
    for call in calls:
        (table,) = map(ast.literal_eval, call.args)
        for place in table.values():
            module, _, attribute = place.partition(":")
            assert module in OURS
            assert module.partition(".")[0] == file.partition("/")[0]
            assert attribute.isidentifier()


def test_only_tables_of_commands_are_given_to_what_loads_by_name():
    imports = {
        ast.unparse(one)
        for file in FILES
        for one in nodes(file)
        if isinstance(one, ast.Import | ast.ImportFrom)
        and "commands" in ast.unparse(one).replace(".", " ").split()
        and "catalog_sync" in ast.unparse(one)
    }
    assert imports == {"from catalog_sync.commands import commands_at"}


FOUND = {
    "clock": (
        "import time",
        "import time as t",
        "from time import monotonic as m",
        "def f():\n    import time",
        "import datetime\ndatetime.datetime.now()",
        "from datetime import datetime as d\nd.now(UTC)",
        "from datetime import datetime\nnow = datetime.now\nnow()",
        "import datetime\ndatetime.datetime.utcnow()",
        "import datetime\ndatetime.date.today()",
        "import datetime as dt\nday = dt.date\nday.today()",
        "from datetime import date\ngetattr(date, 'today')()",
        "def f(kind): return kind.today()",
        "from settlement.system import time",
        "import sched",
    ),
    "randomness": (
        "import random",
        "from random import choice as pick",
        "import secrets",
        "import uuid\nuuid.uuid4()",
        "from uuid import uuid1 as make",
        "import uuid as u\nmake = u.uuid4",
        "import os\nos.urandom(8)",
        "from os import urandom as r",
    ),
    "threads": (
        "import threading",
        "from threading import Thread as T",
        "import queue",
        "import concurrent.futures",
        "from concurrent import futures",
        "import multiprocessing.pool as p",
        "import asyncio",
        "import anyio.to_thread",
        "from anyio import sleep",
        "from settlement import system\nsystem.threading.Thread()",
        "import settlement.system as s\ns.queue",
        "from apscheduler.schedulers.background import BackgroundScheduler",
        "from litestar.concurrency import sync_to_thread",
    ),
    "process": (
        "import subprocess",
        "from subprocess import run as r",
        "import signal",
        "import os\nos._exit(1)",
        "import os as o\ngetattr(o, '_exit')(1)",
        "import os\nos.kill(1, 9)",
        "import sys\nsys.exit()",
    ),
    "environment": (
        "import os\nos.environ['HOME']",
        "from os import environ as e",
        "import os\nos.getenv('HOME')",
        "import platform",
        "import sys\nsys.argv",
        "def f(at): return at.astimezone()",
        "from pathlib import Path\nPath.home()",
    ),
    "network": (
        "import socket",
        "from socket import create_connection as c",
        "import select",
        "import ssl",
        "import http.client",
        "from http import client",
        "from http.client import HTTPConnection as H",
        "import http\nhttp.client",
        "import urllib.request",
        "from urllib import request as r",
        "import requests",
        "from requests import get",
        "import requests.sessions as s",
        "import uvicorn",
    ),
    "serial": (
        "import serial",
        "from serial.tools import list_ports",
        "import pty",
        "import os\nos.openpty()",
        "import termios",
    ),
    "files": (
        "open('a')",
        "with open('a') as file: pass",
        "read = open\nread('a')",
        "list(map(open, paths))",
        "import builtins\nbuiltins.open('a')",
        "import io\nio.open('a')",
        "from io import open as o",
        "import os\nos.open('a', 0)",
        "import os\nos.replace('a', 'b')",
        "from os import path\npath.exists('a')",
        "import os.path as p\np.exists('a')",
        *(f"def f(path): path.{name}()" for name in ("open", "read_text", "read_bytes", "unlink", "mkdir")),
        *(f"def f(path): path.{name}('b')" for name in ("open", "write_text", "write_bytes", "replace")),
        *(f"def f(path): path.{name}()" for name in ("touch", "exists", "stat", "iterdir", "resolve")),
        "def f(path): path.open(mode='w')",
        "def f(path, mode): path.open(mode)",
        "def f(path): (path.parent / 'a').with_suffix('.b').write_text('c')",
        "def f(path): write = path.write_text; write('a')",
        "def f(path): getattr(path, 'unlink')()",
        "from pathlib import Path\nPath('a').read_text()",
        "from pathlib import Path\nlist(map(Path.read_text, paths))",
        "from terminal_agent.config import read_config\nconfig = read_config(p)\nconfig.data.exists()",
        "import shutil",
        "import tempfile",
        "import glob",
        "import fcntl",
    ),
    "database": (
        "import pysqlite3",
        "import pysqlite3.dbapi2 as sqlite",
        "from pysqlite3 import dbapi2",
        "from sqlite_utils import Database",
        "from sqlalchemy import create_engine as make",
        "import sqlalchemy\nsqlalchemy.create_engine('sqlite://')",
    ),
    "library": ("import ctypes", "from ctypes import CDLL", "import ctypes.util"),
    "log": (
        "import logging",
        "import structlog",
        "print('a')",
        "import sys\nsys.stderr.write('a')",
        "from sys import stdout",
    ),
    "sqlite3": (
        "import sqlite3",
        "import sqlite3.dbapi2 as s",
        "from sqlite3 import connect",
        "from settlement.db.connection import sqlite3",
    ),
    "code": (
        "__import__('time')",
        "load = __import__\nload('time')",
        "import importlib\nimportlib.import_module('time')",
        "from importlib import import_module as i",
        "import importlib.util",
        "exec('import time')",
        "eval('1')",
        "compile('1', '', 'eval')",
        "import builtins\nbuiltins.exec('1')",
        "from builtins import eval as e",
        "__builtins__['open']('a')",
        "import sys\nsys.modules['time'].time()",
        "import runpy",
        "import os\nvars(os)['urandom'](1)",
        "import os\nmine = [os]",
    ),
}

NOT_FOUND = (
    "'a-b'.replace('-', '')",
    "at.replace(microsecond=0)",
    "from msgspec.structs import replace\nreplace(value, field=1)",
    "from terminal_agent.till import requests\nrequests.item_of(1)",
    "from settlement.sources.csv_rows import read_bytes\nread_bytes(1)",
    "from settlement.sources import csv_rows\ncsv_rows.read_bytes(1)",
    "from catalog_sync.packs import read_text",
    "self.line.open(sealed, 'promise.v1', Promise)",
    "self.resolver.resolve(record_id, 1)",
    "import datetime\ndatetime.datetime.fromtimestamp(1, datetime.UTC)",
    "import datetime\ndatetime.date.fromisoformat('2026-01-01')",
    "at.astimezone(SHANGHAI)",
    "import uuid\nuuid.UUID(int=1)",
    "from urllib.parse import urlsplit",
    "from http import HTTPStatus",
    "import re\nre.compile('a')",
    "class Shop:\n    open: bool\n\n    def queue(self): return self.open",
    "def now_ms(): return 0\nnow_ms()",
    "def compile(text): return text\ncompile('a')",
    "from importlib.metadata import version",
    "import random_names",
    "import timeit_of_ours as time_taken",
)


@pytest.mark.parametrize(
    ("kind", "source"), [(kind, source) for kind, sources in FOUND.items() for source in sources]
)
def test_each_way_to_the_outside_is_found(kind, source):
    assert kind in {one.kind for one in touches(source)}


@pytest.mark.parametrize("source", NOT_FOUND)
def test_what_only_looks_like_a_way_to_the_outside_is_none(source):
    assert touches(source) == []


def test_a_touch_names_its_line():
    (found,) = touches("\n\nimport socket as s\n")
    assert (found.line, found.kind, found.what) == (3, "network", "socket")


def test_no_import_is_relative_so_that_every_name_can_be_followed():
    relative = [
        (file, node.lineno)
        for file, path in FILES.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.level or any(one.name == "*" for one in node.names))
    ]
    assert relative == []
