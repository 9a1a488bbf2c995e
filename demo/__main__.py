"""``make demo`` and what goes with it.

::

    python -m demo                 deploy, and tell the story
    python -m demo sign-in USER    sign a user of the demonstration in, and show both tokens
    python -m demo record FILE     tell a part of the story and keep what the terminal shows, as SVG
    python -m demo record-admin FILE  run commands of an admin and keep what the terminal shows; needs no stack
    python -m demo stop            stop what was started
"""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console

from demo import admin
from demo.emulator import ACCESS_KEY, REGION, SECRET_KEY, LocalStackError
from demo.local_stack import ROOT, LocalStack, emulator
from demo.screen import Screen, picture
from demo.stage import Stage
from demo.story import RECORDED, STEPS, seed

if TYPE_CHECKING:
    from demo.emulator import Emulator

FOLDER: Final = ROOT / ".local" / "stack"

_RECORDED_WIDTH: Final = 110


def main(arguments: list[str]) -> int:
    """Run the demonstration, or stop what it has started.

    Returns:
        The exit code: 0 fine, 1 failed, 2 usage.
    """
    screen = Screen()
    try:
        match arguments:
            case []:
                _tell_the_story(screen)
            case ["stop"]:
                stopped = emulator(FOLDER).stop()
                screen.good("The local stack is stopped." if stopped else "The local stack was not running.")
            case ["sign-in", username]:
                _sign_in(screen, username)
            case ["record", file]:
                _record(Path(file))
            case ["record-admin", file]:
                admin.draw(Path(file))
            case _:
                screen.failure("Usage: python -m demo [stop | sign-in USER | record FILE | record-admin FILE]")
                return 2
    except LocalStackError as error:
        screen.failure(str(error))
        return 1
    except (ClientError, BotoCoreError) as error:
        screen.failure(f"The local stack refused a request: {error}\nStart it again with: make demo-stop && make demo")
        return 1
    except KeyboardInterrupt:
        screen.failure("Stopped. The local stack may still run; end it with: make demo-stop")
        return 1
    return 0


def _tell_the_story(screen: Screen) -> None:
    running = emulator(FOLDER)
    screen.step(
        "AWS on this machine",
        "The real CDK app is bootstrapped and deployed to MiniStack, an AWS emulator that listens on loopback only.",
    )
    with screen.progress("Start MiniStack"):
        running.start()
    with screen.progress("Bootstrap and deploy the app") as tell:
        stack = LocalStack.deploy(running, FOLDER, tell)
    screen.say(f"User pool {stack.outputs['UserPoolId']}, table {stack.table}, at {running.endpoint}")
    stage = Stage(stack, screen)
    seed(stage, FOLDER)
    for step in STEPS:
        step(stage)
    _say_how_to_go_on(screen, stack, running)


def _sign_in(screen: Screen, username: str) -> None:
    stack = LocalStack.deployed(emulator(FOLDER), FOLDER)
    passwords = json.loads((FOLDER / "passwords.json").read_text())
    if username not in passwords:
        raise LocalStackError(f"There is no user {username}. Try: {', '.join(sorted(passwords))}")
    tokens = stack.pool.sign_in(stack.public_client, username, passwords[username])
    screen.claims("Access token", stack.pool.verified(tokens.access))
    screen.claims("ID token", stack.pool.verified(tokens.id))


def _record(file: Path) -> None:
    stack = LocalStack.deployed(emulator(FOLDER), FOLDER)
    quiet = Stage(stack, Screen(Console(file=io.StringIO())))
    seed(quiet, FOLDER)
    quiet.tokens = quiet.sign_in("alice")
    console = Console(record=True, width=_RECORDED_WIDTH, highlight=False, file=io.StringIO())
    stage = replace(quiet, screen=Screen(console))
    for step in RECORDED:
        step(stage)
    file.write_text(picture(console, title="make demo", name="demo"), encoding="utf-8")


def _say_how_to_go_on(screen: Screen, stack: LocalStack, running: Emulator) -> None:
    screen.step("Go on by hand", "The local stack is still running. It ends with: make demo-stop")
    settings = {
        "AWS_ENDPOINT_URL": running.endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "CLAIMSMITH_TABLE": stack.table,
        "CLAIMSMITH_USER_POOL_ID": stack.pool.id,
    }
    screen.command("export", *(f"{name}={value}" for name, value in settings.items()))
    screen.command(".venv/bin/claimsmith", "preview", "--user", "bob", "--client", stack.public_client)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
