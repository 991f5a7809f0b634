"""What is learnt of a request while it is answered."""

from contextvars import ContextVar
from dataclasses import dataclass, field

from app.service import Verdict


@dataclass(slots=True, eq=False)
class RequestContext:
    """A request that is being answered.

    request_id: its ID
    code: the code of the error that was answered; empty: none
    verdicts: those of its pictures, in the order in which they were ready
    """

    request_id: str
    code: str = ""
    verdicts: list[Verdict] = field(default_factory=list)


_current: ContextVar[RequestContext | None] = ContextVar("tessera_request", default=None)


def begin_request(request_id: str) -> RequestContext:
    """Makes a new context that of the calling task, and of the tasks that it starts."""
    context = RequestContext(request_id)
    _current.set(context)
    return context


def current_request() -> RequestContext | None:
    """The request that the calling task answers; None outside of requests."""
    return _current.get()
