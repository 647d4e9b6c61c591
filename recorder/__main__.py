"""`python -m recorder record …`: the courtroom's commands without the others."""

import click

from recorder.cli import agent, record, salvage

recorder = click.Group("recorder", commands=[agent, record, salvage])

if __name__ == "__main__":
    recorder()
