"""Carry out what a form orders, and say so; or show the form again with what was wrong."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from gridlog_server.service.accounts import Accounts, Caller, ForbiddenError
from gridlog_server.service.in_reach import NotThereError
from gridlog_server.service.refusing import RefusedError
from gridlog_sync.writing import InvalidRecordError

from .notices import Notice
from .pages import caller_of, form_of, visitor_of

PROOF_FIELD = "proof"


async def acted(
    request: web.Request,
    accounts: Accounts,
    act: Callable[[Caller], Awaitable[web.StreamResponse]],
    again: Callable[[Notice], Awaitable[web.StreamResponse]],
) -> web.StreamResponse:
    """Let `act` be done by whoever asks, his password proved if the form has it. `again` answers a refusal.

    Raises ForbiddenError, NotThereError: whoever may not do this at all sees no form again.
    """
    try:
        proof = form_of(request).raw(PROOF_FIELD)
        caller = await accounts.prove(visitor_of(request).session, proof) if proof else caller_of(request)
        return await act(caller)
    except (ForbiddenError, NotThereError):
        raise
    except (RefusedError, InvalidRecordError) as refused:
        answer = await again(Notice(refused.text, "danger"))
        answer.set_status(422)
        return answer
