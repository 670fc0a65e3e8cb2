"""Waiting for conditions, with a bound. No test sleeps for what it can wait for."""

import time

# Seconds. Only a test that fails waits so long, so it may be more than a busy machine needs.
PATIENCE = 10.0


def wait_for(condition, what, timeout=PATIENCE, interval=0.01):
    """Calls `condition` until it returns something true and returns that. `what`, or what it returns, is told of the
    condition that never was."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain: {what() if callable(what) else what}")
        time.sleep(interval)


def wait_stable(sample, what, still=0.4, timeout=8.0):
    """Waits until `sample()` has returned the same true value for `still` seconds, and returns it."""
    deadline = time.monotonic() + timeout
    last, since = None, time.monotonic()
    while True:
        value = sample()
        now = time.monotonic()
        if value != last:
            last, since = value, now
        elif value and now - since >= still:
            return value
        if now > deadline:
            raise AssertionError(f"never came to rest in {timeout} s: {what} (last {last})")
        time.sleep(0.02)
