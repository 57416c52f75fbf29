"""Which agent may a command start? One that is enrolled, and whose enrolment fits its configuration."""

from pathlib import Path

from subsidy.strict.yaml_text import FileError
from terminal_agent.app import Agent
from terminal_agent.config import read_config
from terminal_agent.console import refuse_training
from terminal_agent.log import make_log


def trusted_agent(config: Path) -> Agent:
    """Return the agent of a configuration, not started. A training device stays one."""
    settings = read_config(config)
    # Opened once: a journal with much in it takes its time to be checked.
    agent = Agent(settings, make_log())
    try:
        refuse_training(settings, training=agent.device.training)
        if agent.enrolled_at != settings.centre:
            raise FileError(
                str(config),
                1,
                "centre",
                "is not the centre this host enrolled at",
                f"Write {agent.enrolled_at}",
            )
    except Exception:
        agent.journal.shut()
        raise
    return agent
