"""The root of the tree."""


class GatewayError(Exception):
    """Root of all that the gateway raises on purpose."""

    code: str = "gateway_error"
