"""``make demo`` (``python -m demo``) and ``make demo-stop`` (``python -m demo stop``)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from demo.emulator import ACCESS_KEY, REGION, SECRET_KEY, LocalStackError
from demo.local_stack import ROOT, LocalStack, emulator
from demo.screen import Screen
from demo.stage import Stage
from demo.story import STEPS, seed

if TYPE_CHECKING:
    from demo.emulator import Emulator

FOLDER: Final = ROOT / ".local" / "stack"


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
            case _:
                screen.failure("Usage: python -m demo [stop]")
                return 2
    except LocalStackError as error:
        screen.failure(str(error))
        return 1
    except (ClientError, BotoCoreError) as error:
        screen.failure(f"The local stack refused a request: {error}\nStart it anew with: make demo-stop && make demo")
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
