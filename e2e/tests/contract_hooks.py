"""What schemathesis does before each request: it asks as somebody, and for things that are there.

SEGUE_CONTRACT_TOKEN is the token of whoever asks, none when it is empty. SEGUE_CONTRACT_REAL is a JSON object: what may stand
in the place of a parameter or field of that name, each a list. Half of the values that schemathesis draws are replaced.
"""

import json
import os
import zlib

import schemathesis

TOKEN = os.environ["SEGUE_CONTRACT_TOKEN"]
REAL = json.loads(os.environ["SEGUE_CONTRACT_REAL"])
# What stands before an id in a path says whose id it is.
KIND = {"sessions": "session_id", "bundles": "bundle_id", "packs": "pack_id", "handoffs": "handoff_id",
        "projects": "project_id", "teams": "team_id", "tokens": "token_id"}


def pick(name, drawn, method):
    """A real value in the place of a drawn one, or the drawn one; the same for the same."""
    real, number = REAL.get(name, []), zlib.crc32(repr((name, drawn)).encode("utf-8", "surrogatepass"))
    # What is deleted is gone for all that comes later: the last of a list is there for that.
    if not real or number % 2 or (method == "DELETE" and number % 8):
        return drawn
    return real[-1] if method == "DELETE" else real[number // 2 % len(real)]


@schemathesis.hook
def before_call(context, case, kwargs):
    if TOKEN:
        case.headers["Authorization"] = f"Bearer {TOKEN}"
    # A length that is no number makes no request (RFC 9110, 8.6): what reads HTTP refuses it before there is a route.
    for name in [name for name in case.headers or {} if name.lower() == "content-length"]:
        if not str(case.headers[name]).isdigit():
            del case.headers[name]
    parts = case.path.split("/")
    for name, drawn in list((case.path_parameters or {}).items()):
        kind = KIND.get(parts[3], name) if name == "id" else name
        case.path_parameters[name] = pick(kind, drawn, case.method.upper())
    if isinstance(case.body, dict):
        for name, drawn in list(case.body.items()):
            case.body[name] = pick(name, drawn, case.method.upper())


@schemathesis.serializer("application/vnd.segue.parcel")
def parcel(context, value):
    """Whatever is drawn, as bytes: it is no parcel, and must be told so."""
    if isinstance(value, list):
        return bytes(number % 256 for number in value if isinstance(number, int))
    return value if isinstance(value, bytes) else json.dumps(value, default=str).encode()
