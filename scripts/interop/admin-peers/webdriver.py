"""A browser that does what it is told, by the W3C's WebDriver protocol."""
import base64
import json
import re
import subprocess
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Space": " "}


class Browser:
    def __init__(self, profile):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        port = None
        for line in self.driver.stdout:
            found = re.search(r"started successfully on port (\d+)", line)
            if found:
                port = found[1]
                break
        if port is None:
            raise RuntimeError("chromedriver did not start")
        self.base = f"http://127.0.0.1:{port}/session"
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--disable-background-networking", "--no-first-run", f"--user-data-dir={profile}",
                     "--window-size=1280,1000"]
        answer = self._ask("POST", self.base, {"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments, "binary": "/usr/bin/chromium"}}}})
        self.session = f"{self.base}/{answer['sessionId']}"

    def _ask(self, method, url, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(json.load(error)["value"]["message"]) from None

    def __call__(self, method, path, body=None):
        return self._ask(method, f"{self.session}/{path}", body)

    def close(self):
        try:
            self._ask("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()

    def go(self, url):
        self("POST", "url", {"url": url})

    def run(self, script, *arguments):
        """The value of a function's body in the page."""
        return self("POST", "execute/sync", {"script": script, "args": list(arguments)})

    def protocol(self, command, **parameters):
        """A command of Chromium's own protocol."""
        return self("POST", "goog/cdp/execute", {"cmd": command, "params": parameters})

    def find(self, selector):
        return self("POST", "element", {"using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self("POST", f"element/{self.find(selector)}/click", {})

    def type(self, selector, text):
        self("POST", f"element/{self.find(selector)}/value", {"text": text})

    def press(self, *keys):
        actions = [{"type": kind, "value": KEYS[key]} for key in keys for kind in ("keyDown", "keyUp")]
        self("POST", "actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])?.textContent ?? null", selector)

    def complaints(self):
        """What the browser's console says since it was last asked."""
        return [entry["message"] for entry in self("POST", "se/log", {"type": "browser"})]

    def picture(self, file):
        file.write_bytes(base64.b64decode(self("GET", "screenshot")))

    def wait(self, what, condition, limit=60):
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.1)
        raise AssertionError(f"waited {limit} s in vain until {what}; the page: {self.text('body')[:2000]}")
