"""What OpenAPI says of refusals: which statuses come together, and what each means."""

BODY_PROBLEMS = (400, 413, 415, 422)
RATE = 429
OUTAGE = (500, 503)
PROBLEM_WORDS = {
    401: "No key or token was sent, or none that is known and valid.",
    403: "The caller may know of it, and not do that with it.",
    400: "The body is not JSON that may travel to a worker.",
    404: "Never launched here, or no such task type.",
    409: "The task has already ended, or has not ended yet; the launch with this key is still in flight.",
    410: "Launched here, but no longer remembered.",
    413: "The body is too large.",
    415: "The body is not declared as application/json.",
    422: "The body or the query is not what is declared; `errors` lists every fault.",
    429: "The caller has launched as often as it may; try again after `Retry-After` seconds.",
    500: "A fault of the gateway, named by `error_id`.",
    503: "Ledger, broker or result backend do not answer; try again after `Retry-After` seconds.",
}
