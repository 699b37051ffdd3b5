"""`gateway serve`: check everything that can be checked, bind the port, then serve until a signal comes."""

import asyncio
import ipaddress
import os
import resource
import signal
import socket
from functools import partial
from typing import cast

import click
import structlog
import uvicorn

from gateway.backends.kombu.existing import ExistingApp
from gateway.cli.supervisor import Supervisor
from gateway.closing import CLOSE_S
from gateway.environment import load_settings, refuse_unsafe
from gateway.errors import SettingsError
from gateway.logs import configure_logs
from gateway.metrics.sharing import shared_folder
from gateway.runtime import Runtime, build_runtime
from gateway.settings import Settings, describe
from gateway.web.heads import Limits
from gateway.web.origin import read_networks
from gateway.web.protocol import OneWriteProtocol
from gateway.web.sending import Turn
from gateway.web.sweeping import Sweeper

BACKLOG = 2048
KEEP_ALIVE_S = 60
_log = structlog.get_logger("gateway.cli")
_FACTORY = "gateway.runtime:make_runtime"
_THIS_MACHINE = read_networks("127.0.0.0/8,::1")


def _write_settings_table() -> str:
    lines = ["Every setting is a variable of the environment; the options above win over theirs.", "", "\b"]
    for variable, default, description in describe():
        lines.append(f"{variable}")
        lines.append(f"    {description} [default: {default or 'none'}]")
    return "\n".join(lines)


@click.command("serve", epilog=_write_settings_table())
@click.option("--config", type=str, help="The tasks.yaml to serve, or a folder of them.")
@click.option("--host", type=str, help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one.")
@click.option("--workers", type=int, help="Gateway processes that share the port.")
@click.option("--insecure", is_flag=True, default=None, help="Serve other hosts without authentication.")
def serve_command(
    config: str | None,
    host: str | None,
    port: int | None,
    workers: int | None,
    insecure: bool | None,  # noqa: FBT001 - click passes it so
) -> None:
    """Serve tasks.yaml over HTTP."""
    settings, existing = load_settings(
        os.environ, config=config, host=host, port=port, workers=workers, insecure=insecure
    )
    serve(settings, existing)


def serve(settings: Settings, existing: ExistingApp | None = None) -> None:
    """Serve until SIGINT, or until the drain has passed behind SIGTERM.

    Raises: SettingsError when the address cannot or must not be served; ConfigError when the file has issues;
        UnsafeError in strict mode.
    """
    log = configure_logs(level=settings.log_level, style=settings.log_format)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until somebody hears it, it must not end the process
    _refuse_open_address(settings)
    runtime = build_runtime(settings, existing, log=log)
    if settings.strict:
        asyncio.run(refuse_unsafe(settings))
    _allow_connections()
    listener = _bind(settings)
    if settings.workers == 1:
        server = uvicorn.Server(_configure(settings, runtime))
        server.run(sockets=[listener])
        return
    _pass_on(settings)
    config = _configure(settings, _FACTORY)
    with shared_folder(os.environ):
        Supervisor(config, sockets=[listener]).run()


def _configure(settings: Settings, app: Runtime | str) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=settings.workers,
        interface="asgi3",
        loop="uvloop",
        http=cast("type[OneWriteProtocol]", partial(OneWriteProtocol, sweeper=_make_sweeper(settings), turn=Turn())),
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.shutdown_s - min(CLOSE_S, settings.shutdown_s // 2),
    )


def _make_sweeper(settings: Settings) -> Sweeper:
    """Tell what a connection may take, and what an address."""
    limits = Limits(
        receive_head_s=settings.receive_head_s,
        receive_body_s=settings.receive_body_s,
        max_head_bytes=settings.max_head_bytes,
        max_headers=settings.max_headers,
        max_connections=settings.max_connections_per_address,
    )
    return Sweeper(limits, trusted=(*_THIS_MACHINE, *read_networks(settings.trusted_proxies)))


def _refuse_open_address(settings: Settings) -> None:
    """Keep the gateway on loopback while nothing guards it.

    Raises: SettingsError.
    """
    if settings.api_keys_file or settings.token_keys or _is_loopback(settings.host):
        return
    if not settings.insecure:
        raise SettingsError(
            f"{settings.host} can be reached from other hosts and no authentication is configured: "
            "set GATEWAY_API_KEYS_FILE to a file of keys (gateway keys new), "
            "or say --insecure (GATEWAY_INSECURE=true) if something else guards this port"
        )
    _log.warning("insecure", host=settings.host, detail="whoever reaches this port may do everything")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _allow_connections() -> None:
    """Let the process hold as many connections as the system allows: those who wait hold one each."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _bind(settings: Settings) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port} ({error}): "
            "stop what uses that port, or choose another with --port"
        ) from error
    listener.set_inheritable(True)
    return listener


def _pass_on(settings: Settings) -> None:
    """Leave the settings to the processes that the supervisor spawns."""
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        os.environ[f"GATEWAY_{name.upper()}"] = str(value).lower() if isinstance(value, bool) else str(value)
