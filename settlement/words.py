"""What is a reference or a reason that somebody gives on the command line?"""

import typer


def words(text: str, option: str) -> str:
    """Return `text` when it is one line that can be read. Raises typer.BadParameter."""
    if not text.strip() or len(text) > 200 or not text.isprintable():
        raise typer.BadParameter("write one line of at most 200 characters, not empty", param_hint=option)
    return text
