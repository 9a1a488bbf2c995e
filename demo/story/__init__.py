"""The demonstration's story, step by step, with real tokens; one module per chapter.

A step does something, shows it, and checks what it claims; if a check fails, the demonstration fails. Another
step is a function that takes a ``Stage``, and an entry of ``STEPS``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from demo.story.calls import ask_more_of_a_route, call_the_api
from demo.story.edits import broken_edit, edit_role, repair
from demo.story.introspection import introspect
from demo.story.revocation import revoke_session
from demo.story.start import seed
from demo.story.tokens import before_and_after, switch_tenant, three_people

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.stage import Stage

__all__ = ["RECORDED", "STEPS", "seed"]

#: In this order, after ``seed``.
STEPS: Final[tuple[Callable[[Stage], None], ...]] = (
    before_and_after,
    three_people,
    switch_tenant,
    edit_role,
    broken_edit,
    repair,
    call_the_api,
    ask_more_of_a_route,
    introspect,
    revoke_session,
)

#: What the README shows of them.
RECORDED: Final = (three_people, edit_role, broken_edit)
