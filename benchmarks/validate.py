"""From bytes to validated params: ours beside pydantic v2 and jsonschema-rs alone, in one run.

python benchmarks/validate.py
"""

import json
import time
from collections.abc import Callable
from typing import Annotated, Any

import jsonschema_rs
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.config import Parameter
from gateway.errors import RefusedParamsError
from gateway.schema import ParameterSet, compile_parameters

ROUNDS = 5
MIN_S = 0.3
COMPANY = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9._-]+$"}
MONTHS = {"type": "integer", "minimum": 1, "maximum": 24, "default": 1}
LINE = {
    "type": "object",
    "properties": {
        "sku": {"type": "string", "maxLength": 20},
        "amount": {"type": "number", "minimum": 0},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5},
    },
    "required": ["sku", "amount"],
    "additionalProperties": False,
}


class Sync(BaseModel):
    """The shipped task type's params."""

    model_config = ConfigDict(extra="forbid", strict=True)
    company_id: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]
    months: Annotated[int, Field(ge=1, le=24)] = 1


class Line(BaseModel):
    """One line of the large body."""

    model_config = ConfigDict(extra="forbid", strict=True)
    sku: Annotated[str, Field(max_length=20)]
    amount: Annotated[float, Field(ge=0)]
    tags: Annotated[list[str], Field(max_length=5)] | None = None


def build_large() -> tuple[ParameterSet, type[BaseModel], bytes]:
    """Make thirty fields: ten strings, ten integers, nine numbers and a list of ten lines."""
    schemas: dict[str, Any] = {f"s{n}": {"type": "string", "maxLength": 40} for n in range(10)}
    schemas |= {f"i{n}": {"type": "integer", "minimum": 0} for n in range(10)}
    schemas |= {f"f{n}": {"type": "number"} for n in range(9)}
    schemas["lines"] = {"type": "array", "items": LINE, "maxItems": 100}
    kinds: dict[str, Any] = {f"s{n}": Annotated[str, Field(max_length=40)] for n in range(10)}
    kinds |= {f"i{n}": Annotated[int, Field(ge=0)] for n in range(10)}
    kinds |= {f"f{n}": float for n in range(9)}
    kinds["lines"] = Annotated[list[Line], Field(max_length=100)]
    model = type(
        "Large", (BaseModel,), {"__annotations__": kinds, "model_config": ConfigDict(extra="forbid", strict=True)}
    )
    line = {"sku": "A-1", "amount": 9.5, "tags": ["x", "y"]}
    body = {name: "text" if name[0] == "s" else 7 if name[0] == "i" else 1.5 for name in schemas} | {
        "lines": [line] * 10
    }
    return compile_set(schemas), model, json.dumps(body).encode()


def compile_set(schemas: dict[str, Any]) -> ParameterSet:
    """Compile parameters that are known to be sound."""
    parameters = {name: Parameter(schema=schema) for name, schema in schemas.items()}
    params, issues = compile_parameters(parameters, named={"company": COMPANY}, type_name="bench")
    if params is None:
        raise SystemExit(str(issues))
    return params


def measure(call: Callable[[], object]) -> float:
    """Return the best time of one call in microseconds."""
    calls = 1
    while True:
        began = time.perf_counter()
        for _ in range(calls):
            call()
        if time.perf_counter() - began > MIN_S / 10:
            break
        calls *= 2
    best = min(_time(call, calls) for _ in range(ROUNDS))
    return best / calls * 1e6


def _time(call: Callable[[], object], calls: int) -> float:
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return time.perf_counter() - began


def compare(name: str, params: ParameterSet, model: type[BaseModel], raw: bytes) -> None:
    """Print one row: ours, pydantic's and jsonschema-rs's time for one body."""
    validator = jsonschema_rs.Draft202012Validator(params.json_schema, validate_formats=True)

    def ours() -> object:
        try:
            return params.accept_body(raw)
        except RefusedParamsError as error:
            return error.faults

    def pydantic() -> object:
        try:
            return model.model_validate_json(raw)
        except ValidationError as error:
            return error.errors()

    def alone() -> object:
        value = json.loads(raw)
        return validator.is_valid(value) or list(validator.iter_errors(value))

    times = [measure(call) for call in (ours, pydantic, alone)]
    print(
        f"| {name} | {times[0]:.2f} | {times[1]:.2f} | {times[2]:.2f} | {times[1] / times[0]:.1f} | {times[2] / times[0]:.1f} |"
    )


def main() -> None:
    """Print both tables."""
    sync = compile_set({"company_id": {"$ref": "#/schemas/company"}, "months": MONTHS})
    print("| body | ours µs | pydantic µs | jsonschema-rs alone µs | x pydantic | x jsonschema-rs |")
    print("| --- | --- | --- | --- | --- | --- |")
    compare("sii.sync_documents", sync, Sync, b'{"company_id":"76123456-7","months":3}')
    compare("30 fields, nested lists", *build_large())
    schemas = {"company_id": {"$ref": "#/schemas/company"}, "months": MONTHS}
    compare("six faults", compile_set(schemas), Sync, b'{"company_id":"","months":"x","a":1,"b":2,"c":3,"d":4}')
    print("\n| task types | compiled in s |\n| --- | --- |")
    for count in (250, 500, 1000):
        began = time.perf_counter()
        for _ in range(count):
            compile_set(schemas)
        print(f"| {count} | {time.perf_counter() - began:.2f} |")


if __name__ == "__main__":
    main()
