"""The one strict reader of JSON bytes, YAML text and digits, for everybody.

`int()` takes full-width digits and `1_000`, `json` takes NaN and repeated keys, YAML turns `0123`
into 83: each of these is a wrong amount waiting to happen, so nothing else reads them.
"""
