"""When an integration is activated: as soon as its library is imported, whoever imports it."""

import subprocess
import sys


def test_an_integration_that_is_imported_before_its_library_wakes_itself() -> None:
    """Its module imports the library, which wakes it in mid-import; there is one of it after."""
    program = (
        "from otel_kit.testing import capture\n"
        "with capture('tested'):\n"
        "    from otel_kit.integrations.requests import integration\n"
        "    from otel_kit.integrations import load, requests as module\n"
        "    import requests\n"
        "    print(type(requests.Session.send).__name__)\n"
        "    print(integration is load('requests') is module.integration)\n"
        "print(type(requests.Session.send).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["BoundFunctionWrapper", "True", "function"]
    assert done.stderr == ""
