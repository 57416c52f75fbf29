"""Write the centre's description, docs/openapi/centre.json, anew: after an address or a field was added.

    python3 scripts/describe_centre.py

Within /v1 things are only added. When something was taken away (an address, an answer, a field of an answer)
or more is asked for than before, it says what, writes nothing, and ends with 6: put it back, or make it
/v2. Programs in shops and at the bureau were written against the file as it is.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from venv_here import ROOT, python_with

FILE = ROOT / "docs" / "openapi" / "centre.json"


def taken_away(before: Any, now: Any) -> list[str]:
    """Return what programs written against the description `before` would miss in `now`."""
    return list(_addresses(before, now)) + list(_schemas(before, now))


def _addresses(before: Any, now: Any) -> Iterator[str]:
    for path, operations in before["paths"].items():
        for method, old in operations.items():
            place = f"{method.upper()} {path}"
            new = now["paths"].get(path, {}).get(method)
            if new is None:
                yield f"{place} is gone"
                continue
            for status in old["responses"].keys() - new["responses"].keys():
                yield f"{place}: the answer {status} is gone"
            for status in old["responses"].keys() & new["responses"].keys():
                if old["responses"][status] != new["responses"][status]:
                    yield f"{place}: the answer {status} is another"
            if old.get("security") != new.get("security"):
                yield f"{place}: another proof of who asks"
            if not _takes(new.get("requestBody"), old.get("requestBody")):
                yield f"{place}: another body"
            asked = {(one["in"], one["name"]) for one in new.get("parameters", ()) if one["required"]}
            known = {(one["in"], one["name"]) for one in old.get("parameters", ())}
            yield from (f"{place}: {name} is asked for" for _, name in sorted(asked - known))
            kept = {(one["in"], one["name"]) for one in new.get("parameters", ())}
            yield from (f"{place}: the parameter {name} is gone" for _, name in sorted(known - kept))


def _schemas(before: Any, now: Any) -> Iterator[str]:
    for name, old in before["components"]["schemas"].items():
        new = now["components"]["schemas"].get(name)
        if new is None:
            yield f"{name} is gone"
            continue
        for field, kind in old.get("properties", {}).items():
            found = new.get("properties", {}).get(field)
            if found is None:
                yield f"{name}.{field} is gone"
            elif _kind(found) != _kind(kind):
                yield f"{name}.{field} is of another kind"
        # Unknown fields are refused where the centre reads, so there a field more is asked for.
        reads = old.get("additionalProperties") is False
        asked = set(new.get("required", ())) - set(old.get("required", ()))
        yield from (f"{name}.{field} is asked for" for field in sorted(asked) if reads)
        lost = set(old.get("enum", ())) - set(new.get("enum", ()))
        yield from (f"{name}: {value} is gone" for value in sorted(lost, key=str))


def _takes(new: Any, old: Any) -> bool:
    """Whether a body that is described as `old` is still one as described by `new`: a kind may be added."""
    if isinstance(new, dict) and isinstance(old, dict):
        return new.keys() == old.keys() and all(
            all(one in new[key] for one in old[key]) if key == "anyOf" else _takes(new[key], old[key])
            for key in old
            if key != "discriminator"
        )
    return bool(new == old)


def _kind(schema: Any) -> Any:
    return schema.get("type"), schema.get("$ref"), schema.get("items", {}).get("$ref")


def main() -> int:
    """Write the file. Return 0, or 6 when something would be taken away."""
    code = "from settlement.web import app, describe; print(describe.text(app.description()), end='')"
    done = subprocess.run(
        [str(python_with("settlement")), "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    )
    if FILE.exists():
        missed = taken_away(json.loads(FILE.read_text(encoding="utf-8")), json.loads(done.stdout))
        if missed:
            print("\n".join(missed), file=sys.stderr)
            print("Nothing is written. Put it back, or make it an address of /v2.", file=sys.stderr)
            return 6
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(done.stdout, encoding="utf-8")
    print(f"{FILE.relative_to(ROOT)} is written: {len(json.loads(done.stdout)['paths'])} addresses")
    return 0


if __name__ == "__main__":
    sys.exit(main())
