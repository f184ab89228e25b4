"""A real browser under test, over its own debugging protocol."""

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from living import until

NAMES = "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"
FLAGS = ("headless", "no-sandbox", "disable-gpu", "no-first-run", "disable-background-networking",
         "disable-component-update", "disable-sync", "remote-debugging-port=0")  # fmt: skip
CODES = {"Enter": 13, "ArrowLeft": 37, "ArrowRight": 39, "Escape": 27}


class Chromium:
    """One tab. Dialogs that ask whether to leave are answered with yes, and counted."""

    def __init__(self, folder: Path) -> None:
        """Start it with a profile and downloads in a folder; skip the test if there is none."""
        websocket = pytest.importorskip("websocket")
        found = next(filter(None, map(shutil.which, NAMES)), None)
        if not found:
            pytest.skip("no Chromium is here")
        self.downloads = folder / "downloads"
        self.number, self.loads, self.asked_to_leave, self.errors = 0, 0, 0, []
        profile = [f"--user-data-dir={folder / 'profile'}", "about:blank"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(
            [found, *(f"--{flag}" for flag in FLAGS), *profile], **quiet
        )
        port = folder / "profile" / "DevToolsActivePort"
        until(lambda: port.is_file() and port.read_text(encoding="utf-8").count("\n"))
        address = f"127.0.0.1:{port.read_text(encoding='utf-8').split()[0]}"
        with urllib.request.urlopen(f"http://{address}/json/list") as answer:
            tab = next(each for each in json.load(answer) if each["type"] == "page")
        url = tab["webSocketDebuggerUrl"]
        self.socket = websocket.create_connection(url, suppress_origin=True, timeout=60)
        self.ask("Page.enable")
        self.ask("Runtime.enable")
        self.ask("Log.enable")
        where = {"behavior": "allow", "downloadPath": str(self.downloads)}
        self.ask("Browser.setDownloadBehavior", **where)

    def __enter__(self) -> "Chromium":
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol; return its result."""
        number = self.send(method, **params)
        while True:
            got = json.loads(self.socket.recv())
            if got.get("id") == number:
                assert "error" not in got, got
                return got["result"]
            self.happened(got.get("method"), got.get("params", {}))

    def send(self, method: str, **params: Any) -> int:
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        return self.number

    def happened(self, event: str | None, params: dict[str, Any]) -> None:
        if event == "Page.javascriptDialogOpening":
            self.asked_to_leave += params["type"] == "beforeunload"
            self.send("Page.handleJavaScriptDialog", accept=True)
        elif event == "Page.loadEventFired":
            self.loads += 1
        elif event == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"]["text"])
        elif event == "Log.entryAdded" and params["entry"]["level"] == "error":
            self.errors.append(params["entry"]["text"])

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        done = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def open(self, page: Path | str) -> None:
        self.go("Page.navigate", url=page.as_uri() if isinstance(page, Path) else page)

    def reload(self) -> None:
        self.go("Page.reload")

    def go(self, method: str, **params: Any) -> None:
        """Call a method that loads a page, and wait until it is loaded."""
        before = self.loads
        self.ask(method, **params)
        while self.loads == before:
            got = json.loads(self.socket.recv())
            self.happened(got.get("method"), got.get("params", {}))

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, as a person would."""
        for key in keys:
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            code = CODES.get(key) or (ord(key.upper()) if key.isalnum() else 0)
            about = {"key": key, "windowsVirtualKeyCode": code}
            down = {"type": "keyDown" if text else "rawKeyDown", "text": text, **about}
            self.ask("Input.dispatchKeyEvent", **down)
            self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def text(self, element: str) -> str:
        """Return the text of the element with this id."""
        return self.run(f"document.getElementById({element!r}).textContent")
