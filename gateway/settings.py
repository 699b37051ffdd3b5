"""What the environment says, fixed for the life of the process.

What comes in: the `GATEWAY_…` variables. What goes out: one frozen `Settings`. The table of settings in
`gateway serve --help` and in the README is made from the fields below, so that it cannot lie.
"""

from collections.abc import Mapping
from typing import Annotated, Any, get_type_hints
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec import Meta, Struct

from gateway.errors import SettingsError

DEFAULT_URL = "redis://127.0.0.1:6379/0"
DEFAULT_MASTER = "mymaster"
REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+socket", "sentinel")
DEFAULT_PREFIX = "/api/celery"
CLIENT_VARIABLES = frozenset({"GATEWAY_URL", "GATEWAY_API_KEY", "GATEWAY_API_KEY_FILE"})
"""What the commands that speak to a gateway read; a machine may set them beside the settings of one that it serves."""
_PREFIX = "GATEWAY_"


class Settings(Struct, frozen=True, kw_only=True):
    """The settings of one gateway process; every field is `GATEWAY_` and its name in capitals."""

    config: Annotated[str, Meta(description="The tasks.yaml to serve.")] = "tasks.yaml"
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one.")] = 8000
    workers: Annotated[int, Meta(ge=1, le=64, description="Gateway processes that share the port.")] = 1
    api_keys_file: Annotated[
        str, Meta(description="The keys of callers, as `gateway keys new` writes them; read again when it changes.")
    ] = ""
    cors_origins: Annotated[
        str, Meta(description="Exact origins whose pages may ask, as https://app.example,https://other.example.")
    ] = ""
    trusted_proxies: Annotated[
        str, Meta(description="Addresses and networks of proxies whose X-Forwarded-For is believed, as 10.0.0.0/8.")
    ] = ""
    audit_limit: Annotated[
        int, Meta(ge=0, description="Entries of the audit that are kept, of 1 to 16 records each; 0 keeps none.")
    ] = 20_000
    token_keys: Annotated[
        str, Meta(description="The public keys (JWKS) of an issuer of tokens: a file, or an https URL.")
    ] = ""
    token_issuer: Annotated[str, Meta(description="The `iss` that tokens must have.")] = ""
    token_audience: Annotated[str, Meta(description="The `aud` that tokens must have.")] = ""
    token_algorithms: Annotated[
        str, Meta(description="The algorithms that tokens may be signed with; asymmetric ones only.")
    ] = "RS256,ES256"  # noqa: S105 - these are names
    token_caller_claim: Annotated[str, Meta(min_length=1, description="The claim that names a token's caller.")] = "sub"  # noqa: S105 - as above
    token_roles_claim: Annotated[
        str, Meta(min_length=1, description="The claim with its roles, as roles or realm_access.roles.")
    ] = "roles"  # noqa: S105 - as above
    secret_key: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9+/_-]{43}=?(,[A-Za-z0-9+/_-]{43}=?)*)?\Z",
            description="A key of 32 bytes in base64 with which secret params are sealed; more of them only open.",
        ),
    ] = ""
    insecure: Annotated[bool, Meta(description="Serve other hosts although no authentication is configured.")] = False
    strict: Annotated[bool, Meta(description="Refuse to start on a Redis that can lose what it accepted.")] = False
    broker_url: Annotated[str, Meta(description="The broker of the Celery workers.")] = ""
    result_url: Annotated[
        str, Meta(description="Celery's result backend; a Redis, db+…, cache+memcached://…, file:///…, or disabled.")
    ] = ""
    redis_url: Annotated[str, Meta(description="The Redis that keeps the ledger.")] = ""
    celery_app: Annotated[
        str, Meta(description="An existing app, as package.module:app; it decides what the settings leave open.")
    ] = ""
    prefix: Annotated[str, Meta(pattern=r"^(/[a-z0-9_-]+)*\Z", description="Path before /tasks and /stats.")] = (
        DEFAULT_PREFIX
    )
    default_queue: Annotated[str, Meta(min_length=1, description="Queue of task types that name none.")] = "celery"
    keep_s: Annotated[int, Meta(ge=60, description="How long a launch is remembered, in seconds.")] = 604_800
    visibility_timeout_s: Annotated[
        int,
        Meta(
            ge=1, description="Celery's visibility_timeout of a Redis broker; no task may be due later or run longer."
        ),
    ] = 3600
    key_prefix: Annotated[str, Meta(description="Start of every ledger key.")] = "gateway:"
    broker_key_prefix: Annotated[str, Meta(description="Celery's global_keyprefix of a Redis broker.")] = ""
    result_key_prefix: Annotated[str, Meta(description="Celery's global_keyprefix of the result backend.")] = ""
    result_keep_s: Annotated[
        int, Meta(ge=0, description="Celery's result_expires, in seconds; 0 keeps results for good.")
    ] = 86_400
    sentinel_master: Annotated[
        str,
        Meta(min_length=1, description="Celery's master_name, where a URL names sentinels: sentinel://a;sentinel://b."),
    ] = DEFAULT_MASTER
    priority_steps: Annotated[
        str,
        Meta(pattern=r"^0(,[1-9])*\Z", description="Celery's priority_steps of a Redis broker, ascending from 0."),
    ] = "0,3,6,9"
    priority_separator: Annotated[
        str, Meta(min_length=1, description="Celery's sep of a Redis broker, between queue and priority step.")
    ] = "\x06\x16"
    outbox_limit: Annotated[
        int, Meta(ge=0, description="Launches that may wait for a broker that is away; more are refused with 503.")
    ] = 10_000
    rate_limit: Annotated[
        str,
        Meta(
            pattern=r"^([1-9][0-9]{0,8}/[smhd])?\Z",
            description="Launches that each caller may have, as 600/m: in any second, minute, hour or day (s, m, h, d).",
        ),
    ] = ""
    deadline_s: Annotated[float, Meta(gt=0, le=60, description="Longest wait for broker, ledger or results.")] = 2.0
    max_body_bytes: Annotated[int, Meta(ge=1024, description="Largest request body.")] = 1_048_576
    max_values: Annotated[
        int, Meta(ge=100, description="Most values in one request body: members, items and what they are in.")
    ] = 100_000
    max_head_bytes: Annotated[
        int, Meta(ge=1024, description="Largest head of a request: its line and its headers.")
    ] = 32_768
    max_headers: Annotated[int, Meta(ge=10, description="Most headers of a request.")] = 100
    receive_head_s: Annotated[
        float,
        Meta(gt=0, le=3600, description="Longest time that the head of a request may take to arrive, in seconds."),
    ] = 10.0
    receive_body_s: Annotated[float, Meta(gt=0, le=3600, description="The same for its body.")] = 30.0
    max_connections_per_address: Annotated[
        int,
        Meta(
            ge=1,
            description="Connections of one address, but this machine's and those of trusted proxies, in one process.",
        ),
    ] = 4096
    max_result_bytes: Annotated[
        int,
        Meta(ge=1024, description="Largest result that stands in a status; a larger one has an address of its own."),
    ] = 262_144
    max_requests: Annotated[
        int, Meta(ge=1, description="Requests under way in one process; more are refused with 503.")
    ] = 2048
    max_waits: Annotated[
        int, Meta(ge=1, description="Requests that wait, and event streams, in one process; more are refused with 503.")
    ] = 10_000
    max_waits_per_caller: Annotated[
        int,
        Meta(ge=1, description="Those of one caller who is told apart by a key or token; more are refused with 429."),
    ] = 1000
    workers_refresh_s: Annotated[
        float,
        Meta(
            gt=0, description="Seconds between two rounds of questions to the Celery workers, and counts of the queues."
        ),
    ] = 5.0
    drain_s: Annotated[
        float,
        Meta(ge=0, le=600, description="Seconds for which SIGTERM lets it serve on, no longer ready; 0 for none."),
    ] = 5.0
    shutdown_s: Annotated[
        int, Meta(ge=1, description="Longest time from the end of the drain to that of the process.")
    ] = 20
    log_level: Annotated[str, Meta(pattern=r"^(debug|info|warning|error)\Z", description="Least level logged.")] = (
        "info"
    )
    log_format: Annotated[str, Meta(pattern=r"^(auto|json|text)\Z", description="auto: text on a terminal.")] = "auto"

    def __repr__(self) -> str:
        """Show no password and no key: URLs are printed without their credentials."""
        values = (f"{name}={_mask(name, getattr(self, name))}" for name in self.__struct_fields__)
        return f"Settings({', '.join(values)})"


def load(environment: Mapping[str, str], *, beneath: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read the settings from `environment`; `overrides` (the command line) win where they are not None.

    Shape: `beneath` holds settings by name that count only where nothing else is said.
    Raises: SettingsError naming every variable that is unknown or out of range.
    """
    given: dict[str, Any] = dict(beneath or {}) | {
        name.removeprefix(_PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(_PREFIX) and value != "" and name not in CLIENT_VARIABLES
    }
    given |= {name: value for name, value in overrides.items() if value is not None}
    complaints = _find_complaints(given)
    if complaints:
        raise SettingsError("; ".join(complaints))
    return _share_urls(msgspec.convert(given, Settings, strict=False))


def describe() -> list[tuple[str, str, str]]:
    """List (variable, default, description) of every setting, in the order of the struct."""
    hints = get_type_hints(Settings, include_extras=True)
    rows = []
    for field in msgspec.structs.fields(Settings):
        meta = hints[field.name].__metadata__[0]
        rows.append((_PREFIX + field.name.upper(), _show(field.name, field.default), meta.description))
    return rows


def mask_url(url: str) -> str:
    """Drop the user and the password of a URL, for logs and messages."""
    return ";".join(_mask_node(each) for each in url.split(";"))


def _mask(name: str, value: object) -> str:
    return "…" if name == "secret_key" and value else mask_url(str(value))


def _mask_node(url: str) -> str:
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=f"…@{parts.netloc.rpartition('@')[2]}"))


def is_redis(url: str) -> bool:
    """Tell whether a URL names a Redis server."""
    return urlsplit(url).scheme in REDIS_SCHEMES


def read_steps(text: str) -> tuple[int, ...]:
    """Read the steps of priority, as `0,3,6,9`."""
    return tuple(sorted({int(step) for step in text.split(",")}))


def _find_complaints(given: Mapping[str, Any]) -> list[str]:
    hints = get_type_hints(Settings, include_extras=True)
    complaints = []
    for name, value in given.items():
        if name not in hints:
            complaints.append(f"{_PREFIX}{name.upper()} is not a setting")
            continue
        try:
            msgspec.convert(value, hints[name], strict=False)
        except msgspec.ValidationError as error:
            complaints.append(f"{_PREFIX}{name.upper()}: {error}")
    return complaints


def _share_urls(settings: Settings) -> Settings:
    """Let the first Redis URL given serve the others."""
    given = (settings.broker_url, settings.redis_url, settings.result_url)
    shared = next(filter(is_redis, given), None if any(given) else DEFAULT_URL)
    if shared is None:
        raise SettingsError("the ledger needs a Redis: set GATEWAY_REDIS_URL")
    settings = msgspec.structs.replace(
        settings,
        broker_url=settings.broker_url or shared,
        result_url=settings.result_url or shared,
        redis_url=settings.redis_url or shared,
    )
    if not is_redis(settings.redis_url):
        raise SettingsError(f"{_PREFIX}REDIS_URL must be a Redis URL, as {DEFAULT_URL}")
    return settings


def _show(name: str, default: object) -> str:
    if name.endswith("_url"):
        return f"the first Redis URL given, else {DEFAULT_URL}"
    if isinstance(default, str) and not default.isprintable():
        return repr(default)[1:-1]
    return str(default).lower() if isinstance(default, bool) else str(default)
