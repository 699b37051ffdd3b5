"""What goes wrong between this client and a gateway; a message never holds a param nor the API key.

GatewayError
  ClientError
    BadUrlError             the URL, the prefix or the key cannot be used
    BadWordsError           what was typed is no launch, all its faults listed
    AwayError               no gateway answers
    StrangeAnswerError      something answers that is no gateway
    RefusedError            the gateway answered with a problem
"""

from gateway.client.answers import Problem
from gateway.errors import GatewayError

_SERVER_ERROR = 500


class ClientError(GatewayError):
    """Root of what the client raises."""

    code = "client_error"


class BadUrlError(ClientError):
    """Raised when the URL of a gateway, its prefix or the API key cannot be used."""

    code = "bad_url"


class BadWordsError(ClientError):
    """Raised when `key=value` words or a moment cannot be read; holds every complaint."""

    code = "bad_words"

    def __init__(self, complaints: tuple[str, ...]) -> None:
        super().__init__("; ".join(complaints))
        self.complaints = complaints


class AwayError(ClientError):
    """Raised when a gateway does not answer, or stops in the middle of its answer."""

    code = "gateway_away"

    def __init__(self, url: str, reason: str, *, was_sent: bool = False) -> None:
        super().__init__(f"no answer from {url}: {reason}")
        self.was_sent = was_sent
        """True when the gateway may have read the request."""
        self.may_pass = True


class StrangeAnswerError(ClientError):
    """Raised when what answers cannot be a gateway."""

    code = "strange_answer"


class RefusedError(ClientError):
    """Raised when a gateway answers with a problem."""

    code = "refused"

    def __init__(self, problem: Problem, *, body: bytes) -> None:
        super().__init__(problem.detail or problem.title)
        self.problem = problem
        self.body = body
        """The problem as it was sent; empty when what was sent is none."""
        self.may_pass = problem.status >= _SERVER_ERROR
        """True when the fault is not the request's."""
