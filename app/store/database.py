"""Transactions in a database, and whether it can be used."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition, Lock
from time import monotonic

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, NotSupportedError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from app.errors import TesseraError
from app.store.address import DatabaseAddress
from app.store.engine import engine_of, is_busy

RETRY_S = 1.0
"""After a failure, the database is not tried again for so long."""
TRIAL_S = 10.0
"""While a call tries a database that has failed, other calls are refused, at most for so long."""
LOG_S = 60.0
"""Failures within so long after one that was logged are not logged."""
CLOSE_S = 5.0
"""How long closing waits for transactions."""
_DEFECTS = DataError, IntegrityError, NotSupportedError, ProgrammingError
"""Errors of statements: they are defects of the program, or of the user's rights."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database holds, for messages, and the errors of those who need it.

    name: what it holds, such as jobs
    invalid: the error of a database that cannot be used when the server starts
    unavailable: the error while it cannot be used
    meanwhile: what happens to the contents while it cannot be used
    """

    name: str
    invalid: type[TesseraError]
    unavailable: type[TesseraError]
    meanwhile: str


class Database:
    """A database. Any thread may call any method.

    After a failure it is tried once in `RETRY_S`, by one caller; the others are refused at once, so that none of them
    waits for a database that does not answer.

    prepare: makes or checks the tables; called before the first transaction; raises `contents.invalid`
    """

    def __init__(self, address: DatabaseAddress, contents: Contents, prepare: Callable[[Connection], None]) -> None:
        self._name, self._contents, self._prepare = address.name, contents, prepare
        self._shared = address.shared
        self._unavailable = (
            f"the database of {contents.name} cannot be used at present; {contents.meanwhile}; try again in a few "
            "seconds"
        )
        self._engine = engine_of(address)
        self._preparing = Lock()
        self._prepared = False
        self._changed = Condition()  # guards what follows
        self._open = 0
        self._closed = False
        self._failing = False
        self._next_s = 0.0
        self._logged_s = -LOG_S
        self._told = False

    @property
    def failing(self) -> bool:
        """Whether the last transaction failed because of the database."""
        return self._failing

    @contextmanager
    def begin(self, *, writing: bool = True) -> Iterator[Connection]:
        """Makes all changes of the `with` block, or none. Raises `contents.unavailable`."""
        self._enter()
        try:
            self._require_prepared()
            with self._engine.connect() as connection:
                connection.execution_options(tessera_reading=not writing)
                with connection.begin():
                    yield connection
        except self._contents.unavailable:
            raise
        except (DBAPIError, PoolTimeout) as error:
            if isinstance(error, PoolTimeout) or not (isinstance(error, _DEFECTS) or is_busy(error)):
                raise self._failed(error) from error
            self._succeeded()
            if is_busy(error):
                raise self._contents.unavailable(
                    f"the database of {self._contents.name} is busy; try again in a few seconds"
                ) from error
            raise
        except BaseException:  # of the caller
            self._succeeded()
            raise
        else:
            self._succeeded()
        finally:
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    def start(self, remedy: str) -> None:
        """Makes or checks the tables when a server starts; a shared database that is away is tried again later.

        remedy: what helps if a database in a file cannot be used. Raises `contents.invalid`.
        """
        try:
            self._make()
        except DBAPIError as error:
            if not self._shared:
                self.close()
                raise self._contents.invalid(
                    f"{self._name} cannot be used as the table of {self._contents.name}: {error.orig}; {remedy}"
                ) from error
            if isinstance(error, ProgrammingError):
                self.close()
                raise self._contents.invalid(
                    f"the tables of {self._contents.name} cannot be made in {self._name}: {error.orig}; its user needs "
                    "the rights that docs/operations.md names"
                ) from error
            self._failed(error)
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        """Makes or checks the tables, once. Raises `contents.invalid`, DBAPIError."""
        with self._preparing:
            if not self._prepared:
                with self._engine.begin() as connection:
                    self._prepare(connection)
                self._prepared = True

    def _require_prepared(self) -> None:
        try:
            self._make()
        except self._contents.invalid as error:  # when the server starts, it ends with this error
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> TesseraError:
        """Notes that the database cannot be used, tells the log, and returns the error for those who need it."""
        with self._changed:
            now = monotonic()
            self._failing, self._next_s = True, now + RETRY_S
            telling = now - self._logged_s >= LOG_S
            if telling:
                self._logged_s, self._told = now, True
        if telling:
            _log.error(
                "the database of %s, %s, cannot be used: %s; requests for %s get 503 until it can, and predictions go "
                "on",
                self._contents.name,
                self._name,
                _reason(error),
                self._contents.name,
            )
        return self._contents.unavailable(self._unavailable)

    def close(self) -> None:
        """Refuses further transactions, waits for those that are open, and closes the connections."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._open, CLOSE_S)
        self._engine.dispose()

    def _enter(self) -> None:
        """Counts a transaction, or raises `contents.unavailable`."""
        with self._changed:
            now = monotonic()
            if self._closed or now < self._next_s:
                raise self._contents.unavailable(self._unavailable)
            if self._failing:
                self._next_s = now + TRIAL_S
            self._open += 1

    def _succeeded(self) -> None:
        with self._changed:
            back, self._told, self._failing, self._next_s = self._told, False, False, 0.0
        if back:
            _log.warning("the database of %s, %s, can be used again", self._contents.name, self._name)


def _reason(error: Exception) -> str:
    """The first line of the message: of the driver's own, because SQLAlchemy's has the statement."""
    own = error.orig if isinstance(error, DBAPIError) else error
    return str(own).strip().partition("\n")[0]
