"""A service that makes spans when it is told to, whatever becomes of its telemetry.

Run as ``python load_program.py NAME``.  For each line of its input, ``COUNT SIZE``, it makes so
many sagas of one span with so many characters each, and prints how many it has made in all.  It
ends when its input does.
"""

import sys

import otel_kit


def main(name: str) -> None:
    """Until the input ends."""
    kit = otel_kit.instrument(name)
    made = 0
    for line in sys.stdin:
        count, size = map(int, line.split())
        for _ in range(count):
            with otel_kit.saga(f"{name}-{made}", name), otel_kit.step("work") as span:
                span.set_attribute("load", "x" * size)
            made += 1
        sys.stdout.write(f"{made}\n")
        sys.stdout.flush()
    kit.shutdown()


if __name__ == "__main__":
    main(sys.argv[1])
