"""How a test asks a service.

A server that has not yet found where a new client listens does what it is asked, and its answer is lost; the client
cannot know. So a new client waits a moment before its first request, and asks again where no answer comes.
"""

import time

SETTLING = 0.2  # s, in which the server finds the client
AGAIN = 5.0  # s without an answer after which it is taken for lost


def ask(until, client, request, what):
    """The answer. `until(condition, what)` spins or steps; what is asked must bear being asked twice."""
    if not hasattr(client, "known_since"):
        until(client.service_is_ready, f"service {what}")
        client.known_since = time.monotonic()
        until(lambda: time.monotonic() > client.known_since + SETTLING, f"the server of {what}")
    futures, asked = [], float("-inf")

    def answered():
        nonlocal asked
        if time.monotonic() > asked + AGAIN:
            asked = time.monotonic()
            futures.append(client.call_async(request))
        return any(future.done() for future in futures)

    until(answered, f"an answer of {what}")
    return next(future.result() for future in futures if future.done())
