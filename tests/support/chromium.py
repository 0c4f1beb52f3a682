"""Pages in one headless Chromium, driven over its debugging pipe: no driver, no port, no network."""

from __future__ import annotations

import atexit
import base64
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from support.needed import installed

TIMEOUT = 60
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-extensions"),
    *(
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        "--remote-debugging-pipe",
        "--force-color-profile=srgb",
    ),
)


class Browser:
    """A browser without a window; `events` are all that it said of its own accord."""

    def __init__(self, process: subprocess.Popen[bytes], read: int, write: int) -> None:
        self._process = process
        self._read, self._write = os.fdopen(read, "rb", buffering=0), os.fdopen(write, "wb", buffering=0)
        self._rest = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """What the browser, or a page by its `session`, answers to a command of its protocol."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self._write.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])
            self.events.append(answer)

    def forget(self, page: Page) -> None:
        """Keep no event of a page that is closed."""
        self.events = [event for event in self.events if event.get("sessionId") != page.session]

    def end(self) -> None:
        """End the browser."""
        self._process.kill()
        self._process.wait()
        self._read.close()
        self._write.close()

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], TIMEOUT)
            assert ready, f"the browser said nothing for {TIMEOUT} seconds"
            part = self._read.read(1 << 16)
            assert part, "the browser ended"
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))


class Page:
    """An open page; `events` are all that the browser said about it."""

    def __init__(self, browser: Browser, context: str) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        self.session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    @property
    def events(self) -> list[dict[str, Any]]:
        """What the browser said about this page."""
        return [event for event in self._browser.events if event.get("sessionId") == self.session]

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """What the page answers to a command of the browser's protocol."""
        return self._browser.call(method, self.session, **parameters)

    def open(self, path: Path) -> None:
        """Load a file, and wait until it is there."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        deadline = time.monotonic() + 30
        while self.evaluate("document.readyState") != "complete" or self.evaluate("location.href") == "about:blank":
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression of JavaScript, awaited."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key, as a person without a mouse would."""
        codes = {"Tab": 9, "Enter": 13}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=codes[key], **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=codes[key])

    def screenshot(self, path: Path) -> None:
        """The whole page as a picture."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings of the console, and what the policy of the page refused."""
        found = []
        for event in self.events:
            parameters = event.get("params", {})
            if event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                found.append(parameters["entry"]["text"])
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"]))
            if event.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in (
                "error",
                "warning",
                "assert",
            ):
                found.append(str(parameters["args"]))
        return found

    @property
    def requests(self) -> list[str]:
        """The addresses that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]


@cache
def browser() -> Browser:
    """The browser of this process, whose profile is removed with it when the process ends."""
    program = installed(*BROWSERS)
    folder = TemporaryDirectory(prefix="vizschema-browser-", ignore_cleanup_errors=True)
    to_read, to_write = os.pipe(), os.pipe()
    command = [program, *FLAGS, f"--user-data-dir={folder.name}"]
    first, second = (os.dup(end) for end in (to_write[0], to_read[1]))
    shell = f'exec 3<&{first} 4>&{second}; exec "$@"'
    process = subprocess.Popen(
        ["bash", "-c", shell, "bash", *command],
        pass_fds=(first, second),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for end in (to_write[0], to_read[1], first, second):
        os.close(end)
    found = Browser(process, to_read[0], to_write[1])
    atexit.register(folder.cleanup)
    atexit.register(found.end)
    return found


@contextmanager
def page() -> Iterator[Page]:
    """A page of the browser of this process, with nothing kept of other ones."""
    shared = browser()
    context = shared.call("Target.createBrowserContext")["browserContextId"]
    opened = Page(shared, context)
    try:
        yield opened
    finally:
        shared.call("Target.disposeBrowserContext", browserContextId=context)
        shared.forget(opened)
