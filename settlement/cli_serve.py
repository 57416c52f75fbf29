"""How does an operator have the centre serve?"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from settlement.app import Centre, open_centre
from settlement.config import read_settings
from settlement.console import Config, Json, Refused, Set, Shown, print_now, run
from settlement.db.serving import BooksTaken, serving
from settlement.people.acting import Task
from settlement.people.roles import Permission


def serve(config: Config, set_: Set = None, json: Json = False) -> None:
    """Serve shops, operators and monitors until SIGTERM or Ctrl-C. Logs are JSON lines on stderr.

    Example:

        settlement serve --config settlement.yaml --set listen=127.0.0.1:8600
    """

    def work() -> Shown:
        # Loaded here: help that lists all commands loads this one too, and need not wait for the web.
        from settlement.web.serve import bind, run_until_stopped
        from settlement.web.start import start_web

        centre = open_centre(read_settings(config, set_ or ()).settings)
        with (
            _serving(centre),
            bind(centre.settings.listen) as bound,
            centre.acting(Task(Permission.RUN, "serve")),
        ):
            address = "{}:{}".format(*bound.getsockname()[:2])
            web = start_web(centre)
            document: dict[str, Any] = {
                "programme": centre.pack.programme,
                "listening": address,
                "training": centre.pack.training,
            }
            lines = [f"serving {centre.pack.programme} on {address}"]
            if (item := centre.restored()) is not None:
                document["restored"] = item.detail
                lines += [item.detail, item.next_step]
            print_now(Shown(document, lines), json)
            run_until_stopped(web, bound)
            web.edge.writer.stop()
        return Shown(None, [])

    run(work, json)


@contextmanager
def _serving(centre: Centre) -> Iterator[None]:
    try:
        with serving(centre.engine, centre.settings.database):
            yield
    except BooksTaken as wrong:
        raise Refused(str(wrong), 6) from None
