"""The root of the tree."""


class GatewayError(Exception):
    """Root of all that the gateway raises on purpose."""

    code: str = "gateway_error"


class LaunchError(GatewayError):
    """Root of the reasons why a launch is refused; nothing was published."""

    code = "launch_refused"
