"""Reading the driver's report lines in tests."""

import re


def figure(text: str, key: str) -> str:
    found = re.findall(rf"^\t{key}: (.*)$", text, re.MULTILINE)
    assert len(found) == 1, f"{key}: {found}"
    return found[0]
