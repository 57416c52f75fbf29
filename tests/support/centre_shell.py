"""The centre's commands as tests run them, on a folder with a configuration."""

import json

from sqlalchemy import text
from typer.testing import CliRunner

from settlement.cli import app
from settlement.db.connection import engine_on, reading, writing
from settlement.db.place import Sqlite


class Shell:
    """A folder with a configuration, and the commands run on it."""

    def __init__(self, folder, file):
        self.folder = folder
        self.file = file

    def run(self, *words, exit_code=0, token=None, typed=""):
        """Run a command, as the server's account or under a token, and return what it printed on stdout."""
        environment = {} if token is None else {"SETTLEMENT_TOKEN": token}
        command = [*words, "--config", str(self.file)]
        result = CliRunner().invoke(app, command, env=environment, input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        self.stderr = result.stderr
        return result.stdout

    def json(self, *words, exit_code=0, token=None, typed=""):
        """Run a command with --json and return its one document."""
        return json.loads(self.run(*words, "--json", exit_code=exit_code, token=token, typed=typed))

    @property
    def proposer(self):
        """The token of who proposes, where the centre was made ready."""
        return (self.folder / "token").read_text()

    @property
    def approver(self):
        """The token of who approves."""
        return (self.folder / "second-token").read_text()

    def propose(self, *words, exit_code=0):
        """Run a command that proposes, and return its document."""
        return self.json(*words, exit_code=exit_code, token=self.proposer)

    def agree(self, *words, exit_code=0):
        """Run a command that proposes as one person, approve it as the other, and return what that said."""
        proposed = self.propose(*words, exit_code=exit_code)
        return self.json("approve", proposed["proposal"], exit_code=exit_code, token=self.approver)

    def sql(self, statement):
        """Run a statement behind the application's back."""
        with writing(engine_on(Sqlite(self.folder / "centre.sqlite3"))) as connection:
            connection.execute(text(statement))

    def rows(self, query):
        """Return what a query finds."""
        with reading(engine_on(Sqlite(self.folder / "centre.sqlite3"))) as connection:
            return [tuple(row) for row in connection.execute(text(query))]
