"""Drives the dashboard in a browser, beside clients of two protocols. See scripts/interop/dashboard."""
import json
import pathlib
import re
import sys
import tempfile
import threading
import time
import urllib.request

from server import TOKEN, JSONClient, Server, Tunnel, check, exactly
from webdriver import Browser

CONFIGURATION = f"""
json: {{listen: "127.0.0.1:0"}}
netplay: {{listen: "127.0.0.1:0"}}
lobby: {{listen: "127.0.0.1:0"}}
admin: {{listen: "127.0.0.1:0", token: {TOKEN}}}
"""
# What strangers call themselves: markup, a mark that turns the text around, one that nobody sees.
HOSTILE = ["<img src=x onerror=\"window.pwned=1\">", "</td></table><script>window.pwned=2</script>", "a\u202egnp.exe", "b\u200bb"]


def client(port, name, address="127.0.0.1"):
    """A client of the JSON relay that has got the name it asked for."""
    peer = JSONClient(port, name, address)
    assert peer.answer["destination"] == name, peer.answer
    return peer


class Session(Tunnel):
    """A netplay host and its guest, who talk without end."""

    def __init__(self, port):
        super().__init__(port)
        self.ended = threading.Event()
        threading.Thread(target=self._talk, daemon=True).start()

    def _talk(self):
        amount = 0
        try:
            while not self.ended.is_set():
                amount = amount % 40 + 1
                self.link.sendall(bytes(amount * 512))
                exactly(self.guest, amount * 512)
                time.sleep(0.02)
        except (EOFError, OSError):
            pass

    def close(self):
        self.ended.set()
        super().close()


def contrast(colours):
    """How far two colours of CSS are apart, as WCAG counts."""
    def luminance(text):
        parts = [int(part) / 255 for part in re.findall(r"\d+", text)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    low, high = sorted(map(luminance, colours))
    return (high + 0.05) / (low + 0.05)


def sign_in(browser, origin):
    for path in ("/", "/dashboard.css", "/dashboard.js", "/graphs.js", "/text.js"):
        with urllib.request.urlopen(origin + path, timeout=60) as answer:
            policy = answer.headers["Content-Security-Policy"]
            check(f"{path} has a strict policy", "default-src 'none'" in policy and "unsafe" not in policy, policy)
            check(f"{path} names no other site", not re.search(rb"https?://(?!www\.w3\.org/2000/svg)", answer.read()))
    browser.go(origin + "/")
    browser.wait("it asks for a token", lambda: browser.run("return !document.querySelector('#sign-in').hidden"))
    check("nothing is shown before that", browser.run("return document.querySelector('#figures').hidden"))
    browser.type("#token", "wrong")
    browser.press("Enter")
    browser.wait("a wrong token is told", lambda: browser.text("#sign-in-error") == "That token is not right.")
    browser.type("#token", TOKEN)
    browser.press("Enter")
    browser.wait("the figures are there", lambda: browser.text("#phase") == "running")
    browser.wait("the form has gone", lambda: browser.run("return document.querySelector('#sign-in').hidden"))
    check("a token signs in", not browser.run("return document.querySelector('#figures').hidden"))
    # Until here the API said 401 as it should, and the console says that.
    strange = [line for line in browser.complaints() if "401" not in line]
    check("the browser has nothing to complain of", not strange, strange)


def rooms(browser, server, clients):
    browser.wait("all protocols are listed", lambda: all(
        name in (browser.text("#protocols") or "") for name in ("json", "netplay", "lobby")))
    check("there are no rooms", "no rooms" in browser.text("#rooms"))
    session = Session(server.port("netplay"))
    clients += [client(server.port("json"), name) for name in [*HOSTILE, "anna"]]
    browser.wait("rooms appear without a reload",
                 lambda: browser.run("return document.querySelectorAll('#rooms button').length") == 2)
    browser.wait("throughput is shown", lambda: re.search(r"[1-9][\d.,]* [KM]iB", browser.text("#protocols")))
    browser.wait("events are shown", lambda: "netplay · guest_linked" in (browser.text("#events") or ""))
    browser.type("#filter", "nobody")
    browser.wait("who is nowhere is not found", lambda: browser.text("#rooms-count") == "0")
    browser.run("document.querySelector('#filter').value = ''")
    browser.type("#filter", "ann")
    browser.wait("a room is found by a player", lambda: browser.text("#rooms-count") == "1")
    return session


def names(browser):
    """Looks at the room of those with odd names."""
    browser.run("document.querySelector('#rooms button').focus()")
    browser.press("Enter")
    browser.wait("the room opens", lambda: browser.run("return document.querySelector('#room').open"))
    browser.wait("its peers are there", lambda: "anna" in browser.text("#peers"))
    shown = browser.run("return [...document.querySelectorAll('#peers tr')].map((r) => r.cells[0].textContent)")
    for name in HOSTILE[:2]:
        check(f"markup is text: {name}", name in shown, shown)
    check("what turns text is spelled out", "a\\u{202e}gnp.exe" in shown, shown)
    check("what nobody sees is spelled out", "b\\u{200b}b" in shown, shown)
    check("no markup of strangers is in the page",
          browser.run("return document.querySelectorAll('body img, body script, bdi *').length") == 0)
    check("no script of strangers has run", browser.run("return window.pwned ?? null") is None)


def kick(browser, clients):
    """Parts from a peer, with the keyboard alone."""
    button = "document.querySelector('#peers button[aria-label=\"Kick anna\"]')"
    check("a button says whom it kicks", browser.run(f"return {button}.textContent") == "Kick")
    browser.run(f"{button}.focus()")
    browser.press("Enter")
    browser.wait("it asks first", lambda: browser.run("return document.querySelector('#confirm').open"))
    browser.press("Escape")
    browser.wait("Escape takes it back", lambda: not browser.run("return document.querySelector('#confirm').open"))
    check("nobody is kicked by that", "anna" in browser.text("#peers"))
    browser.wait("the focus is back", lambda: browser.run(f"return document.activeElement === {button}"))
    browser.press("Enter")
    browser.wait("it asks again", lambda: browser.run("return document.querySelector('#confirm').open"))
    for _ in range(4):
        if browser.run("return document.activeElement.id") == "confirm-yes":
            break
        browser.press("Tab")
    browser.press("Enter")
    anna = clients[-1]
    check("the peer is told", anna.receive().get("payload") == "Kicked")
    browser.wait("it is gone from the room", lambda: "anna" not in browser.text("#peers"))
    browser.press("Escape")
    browser.wait("the room closes", lambda: not browser.run("return document.querySelector('#room').open"))
    browser.run("const f = document.querySelector('#filter'); f.value = ''; f.dispatchEvent(new Event('input'))")
    browser.wait("all rooms are listed", lambda: browser.text("#rooms-count") == "2")
    browser.wait("the event is shown", lambda: "json · connection_closed · kicked" in browser.text("#events"))


def desk(browser, server):
    """Bans an address, lifts that, and drains."""
    port = server.port("json")
    bert = client(port, "bert", "127.0.0.9")
    browser.wait("who comes is found", lambda: browser.run("""
        const f = document.querySelector('#filter'); f.value = 'bert'; f.dispatchEvent(new Event('input'));
        return document.querySelectorAll('#rooms button').length""") == 1)
    browser.run("document.querySelector('#rooms button').click()")
    button = "document.querySelector('#peers button[aria-label=\"Ban bert\"]')"
    browser.wait("he can be banned", lambda: browser.run(f"return {button} !== null"))
    browser.run(f"{button}.click()")
    browser.wait("it asks first", lambda: browser.run("return document.querySelector('#confirm').open"))
    browser.type("#confirm-reason", "floods")
    browser.click("#confirm-yes")
    check("he is told", bert.receive()["payloadType"] == "ERROR")
    browser.wait("the ban is listed", lambda: "127.0.0.9" in browser.text("#bans") and "floods" in browser.text("#bans"))
    try:
        refused = client(port, "bert", "127.0.0.9") is None
    except (AssertionError, KeyError, EOFError, OSError):
        refused = True
    check("he does not come back", refused)
    browser.press("Escape")
    browser.run("const f = document.querySelector('#filter'); f.value = ''; f.dispatchEvent(new Event('input'))")
    browser.run("document.querySelector('#bans button').click()")
    browser.wait("the ban is lifted", lambda: "nobody is banned" in browser.text("#bans"))
    client(port, "bert", "127.0.0.9").close()
    for phase in ("draining", "running"):
        browser.run("document.querySelector('#drain').click()")
        browser.wait("it asks first", lambda: browser.run("return document.querySelector('#confirm').open"))
        browser.click("#confirm-yes")
        browser.wait(f"the server is {phase}", lambda: browser.text("#phase") == phase)
    check("a server drains, and stops doing so", True)


def graphs(browser, origin):
    points = "return document.querySelector('#throughput polyline.c1')?.getAttribute('points') ?? ''"
    browser.wait("the graph of the last hour has a point", lambda: browser.run(points), limit=90)
    check("a graph says in words what it shows", re.match(
        r"Throughput: now [\d.,]+ \S+/s, most in", browser.run(
            "return document.querySelector('#throughput').getAttribute('aria-label')")))
    request = urllib.request.Request(origin + "/api/v1/history", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        history = json.load(answer)
    check("the API has what the graph shows",
          history["intervalSeconds"] == 10 and history["points"][-1]["relays"]["netplay"]["bytesPerSecond"] > 0)
    later = urllib.request.Request(
        f"{origin}/api/v1/history?since={history['points'][-1]['time'] + 3600}",
        headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(later, timeout=60) as answer:
        check("nothing is told twice", json.load(answer)["points"] == [])


def looks(browser, pictures):
    def scheme(name):
        browser.protocol("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": name}, {"name": "prefers-reduced-motion", "value": "reduce"}])

    for name in ("light", "dark"):
        scheme(name)
        colours = browser.run("""
            const pairs = [["td", "section"], ["th", "section"], [".badge", "header"], ["button.link", "section"],
                           [".facts", "header"], ["dt", "section"], ["button", "button"]];
            return pairs.map(([text, back]) => [getComputedStyle(document.querySelector(text)).color,
                getComputedStyle(document.querySelector(back)).backgroundColor]);""")
        for pair in colours:
            check(f"{name}: {pair} can be read", contrast(pair) >= 4.5, contrast(pair))
        if pictures:
            browser.run("window.scrollTo(0, 0); document.activeElement.blur()")
            time.sleep(3)
            browser.picture(pictures / f"dashboard-{name}.png")
    back = "return getComputedStyle(document.body).backgroundColor"
    dark = browser.run(back)
    browser.click("#theme")
    check("a button changes between dark and light", browser.run(back) != dark)
    browser.click("#theme")
    check("and back", browser.run(back) == dark)
    scheme("light")
    browser.click("#theme")
    browser.protocol("Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    overflow = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
    check("a phone's width is enough", overflow <= 0, overflow)
    if pictures:
        browser.picture(pictures / "dashboard-phone.png")
    browser.protocol("Emulation.clearDeviceMetricsOverride")


def access(browser):
    browser.run("document.activeElement.blur(); window.scrollTo(0, 0); document.body.focus()")
    browser.go(browser("GET", "url"))
    browser.wait("the token is remembered until the tab is closed", lambda: browser.text("#phase") == "running")
    browser.press("Tab")
    check("the first thing a keyboard finds leads to the figures",
          browser.run("return document.activeElement.className") == "skip")
    browser.protocol("Accessibility.enable")
    tree = browser.protocol("Accessibility.getFullAXTree")["nodes"]
    nameless = [node["role"]["value"] for node in tree
                if not node.get("ignored") and node["role"]["value"] in ("button", "textbox", "searchbox", "img", "image",
                                                                          "table", "link", "heading", "region")
                and node["role"]["value"] != "table" and not node.get("name", {}).get("value")]
    check("everything has a name for a screen reader", not nameless, nameless)
    landmarks = {node["role"]["value"] for node in tree if not node.get("ignored")}
    check("there are landmarks", {"banner", "main"} <= landmarks, landmarks)
    foreign = browser.run("""
        return performance.getEntriesByType("resource").map((r) => new URL(r.name).origin).filter((o) => o !== location.origin)""")
    check("nothing foreign was asked for", not foreign, foreign)
    browser.run("""
        try { const s = document.createElement("script"); s.textContent = "window.pwned = 3"; document.body.append(s); } catch {}
        try { document.body.insertAdjacentHTML("beforeend", "<b id=injected>"); } catch {}""")
    check("the policy lets no script in", browser.run("return window.pwned ?? document.querySelector('#injected')") is None)


def main():
    baton, pictures = sys.argv[1], None
    if sys.argv[2:3] == ["--pictures"]:
        pictures = pathlib.Path(sys.argv[3])
        pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        server, browser, session, clients = Server(baton, folder, CONFIGURATION), None, None, []
        try:
            origin = f"http://127.0.0.1:{server.port('admin')}"
            browser = Browser(folder / "profile")
            sign_in(browser, origin)
            session = rooms(browser, server, clients)
            names(browser)
            kick(browser, clients)
            desk(browser, server)
            graphs(browser, origin)
            if pictures:
                time.sleep(180)
            looks(browser, pictures)
            access(browser)
            server.stop()
            browser.wait("a server that is away is told", lambda: browser.text("#notice") == "The server does not answer.")
            check("and not taken for one that runs", browser.text("#phase") == "unreachable")
        except BaseException:
            print(server.log[-3000:], file=sys.stderr)
            raise
        finally:
            if session:
                session.close()
            if browser:
                browser.close()
            server.kill()
    print("PASS: the dashboard, in a real Chromium")


main()
