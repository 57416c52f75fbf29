"""People as tests make them: by the centre's commands, with a password and a phone."""

from centre import write_config
from centre_shell import Shell
from phone import code, secret_of

from settlement.system import wall_ms

PASSWORD = "six owls sing all night"
STEP_MS = 30_000


def fresh_centre(folder):
    """Return a centre that was just set up: nobody but its first service."""
    shell = Shell(folder, write_config(folder))
    shell.first_token = shell.json("init")["api_token"]
    return shell


def add(shell, name, *words, token=None):
    """Add a person, as the one administrator may, and return the secret of the second factor."""
    made = shell.json("users", "add", name, *words, token=token, typed=f"{PASSWORD}\n")
    return secret_of(made["second_factor"])


def log_in(shell, name, secret, label="laptop", exit_code=0, password=PASSWORD, later=0):
    """Log in to make a token and return it; `later` counts the codes that were used already."""
    typed = shown(secret, later, password)
    return shell.json("token", "new", label, "--user", name, typed=typed, exit_code=exit_code).get("token")


def shown(secret, later=0, password=PASSWORD):
    """Return what a person types who logs in; `later` counts the codes that were used already."""
    return f"{password}\n{code(secret, wall_ms() + later * STEP_MS)}\n"


def administrators(shell, *names):
    """Add the first administrators on the server and return a token of each."""
    return [log_in(shell, name, add(shell, name, "--first")) for name in names]


def agree(shell, *words, by, approved_by):
    """Propose as one administrator and approve as another; return what was proposed."""
    proposed = shell.json(*words, token=by)
    shell.json("approve", proposed["proposal"], token=approved_by)
    return proposed


def let_in(shell, name, proposed, token, password=PASSWORD):
    """Let somebody in who says the code, and return the secret of the new second factor."""
    typed = f"{proposed['code']}\n{password}\n"
    words = ("users", "password", name, "--proposal", proposed["proposal"])
    return secret_of(shell.json(*words, token=token, typed=typed)["second_factor"])


def audited(shell, what):
    """Return who did something, through what, and how it ended."""
    query = f"SELECT who, via, outcome FROM audit_entry WHERE what = '{what}' ORDER BY entry_no"
    return shell.rows(query)
