"""Databases that do not work. See scripts/interop/databases."""
import contextlib
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

from server import TOKEN, JSONClient, Server, check, eventually


def configuration(database, lobby=None):
    listed = f', database: "{lobby}"' if lobby else ""
    return (f'json: {{listen: "127.0.0.1:0"}}\nlobby: {{listen: "127.0.0.1:0"{listed}}}\n'
            f'admin: {{listen: "127.0.0.1:0", token: {TOKEN}, bans_database: "{database}"}}\n')


@contextlib.contextmanager
def running(baton, folder, database):
    server = Server(baton, folder, configuration(database))
    try:
        yield server
    finally:
        server.kill()


def ban(server, address, reason):
    server.api("POST", "/bans", {"subject": "address", "value": address, "reason": reason})


def holds(server, address, reason):
    """Whether the ban of an address is in force, and its owner is told why."""
    answer = JSONClient(server.port("json"), "somebody", address).answer
    return answer["payloadType"] == "ERROR" and answer["payload"] == f"Banned: {reason}"


def relays(server):
    one = JSONClient(server.port("json"), "one")
    two = JSONClient(server.port("json"), "two")
    one.send({"payloadType": "MESSAGE", "destination": "two", "payload": "hello"})
    heard = two.receive().get("payload") == "hello"
    one.close(), two.close()
    return heard


def state(server):
    return server.api("GET", "/status")["banDatabase"]


def suffers(server, words):
    """The server runs on with a database that does not work."""
    eventually("the log says so", lambda: server.lines("ban_database_failed"))
    eventually("the API says so", lambda: state(server)["state"] == "failed")
    check(f"and why: {words}", words in state(server)["failure"], state(server))
    check("the metrics say so", server.metrics()["baton_ban_database_up"] == 0)
    check("relaying goes on", relays(server))
    ban(server, "127.0.0.9", "for the check")
    check("a ban holds", holds(server, "127.0.0.9", "for the check"))
    check("it is said once", len(server.lines("ban_database_failed")) == 1, server.lines("ban_database_failed"))


def recovers(baton, folder, server, database):
    eventually("it works again", lambda: server.lines("ban_database_works"))
    check("the API says so too", state(server)["state"] == "database")
    check("the server ends well", server.stop() == 0)
    with running(baton, folder, database) as next_one:
        check("the ban has outlived it", holds(next_one, "127.0.0.9", "for the check"))
        check("and is listed", "127.0.0.9" in [ban["value"] for ban in next_one.api("GET", "/bans")["bans"]])


def make(baton, folder, database):
    """A database with one ban in it."""
    with running(baton, folder, database) as server:
        ban(server, "127.0.0.8", "from before")
        check("a database is made", state(server)["state"] == "database")
        check("its server ends", server.stop() == 0)


def missing(baton, folder):
    database = folder / "not there" / "bans.sqlite"
    with running(baton, folder, database) as server:
        suffers(server, "missing")
        database.parent.mkdir()
        recovers(baton, folder, server, database)


def locked(baton, folder):
    database = folder / "bans.sqlite"
    make(baton, folder, database)
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with running(baton, folder, database) as server:
        check("who was banned stays so", holds(server, "127.0.0.8", "from before"))
        ban(server, "127.0.0.10", "while locked")
        suffers(server, "locked")
        other.execute("ROLLBACK")
        other.close()
        recovers(baton, folder, server, database)


def damaged(baton, folder):
    database = folder / "bans.sqlite"
    database.write_bytes(bytes(range(256)) * 64)
    with running(baton, folder, database) as server:
        suffers(server, "damaged")
        database.unlink()
        recovers(baton, folder, server, database)


def damaged_while_running(baton, folder):
    database = folder / "bans.sqlite"
    with running(baton, folder, database) as server:
        ban(server, "127.0.0.10", "before")
        with open(database, "r+b") as file:
            file.write(os.urandom(8192))
        for extra in ("-wal", "-shm"):
            path = pathlib.Path(f"{database}{extra}")
            if path.exists():
                with open(path, "r+b") as file:
                    file.write(os.urandom(4096))
        ban(server, "127.0.0.11", "after")
        eventually("the log says so", lambda: server.lines("ban_database_failed"))
        check("relaying goes on", relays(server))
        check("both bans hold", holds(server, "127.0.0.10", "before") and holds(server, "127.0.0.11", "after"))


def announce(server, name):
    """The status and the text that a host of the lobby is answered with."""
    form = {"username": name, "core_name": "Nestopia", "core_version": "1.52.0", "game_name": "loop", "game_crc": "B0606C41",
            "port": "45435", "retroarch_version": "1.14.0", "frontend": "unix x64", "subsystem_name": "N/A"}
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port('lobby')}/add", data=urllib.parse.urlencode(form).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def of_the_lobby(baton, folder):
    """The rooms of the lobby are in another file, which may be as bad."""
    database, ruined = folder / "lobby.sqlite", bytes(range(256)) * 64
    for what, spoil, mend, words in (
            ("damaged", lambda: database.write_bytes(ruined), database.unlink, "is damaged"),
            ("a directory", database.mkdir, database.rmdir, "cannot be opened")):
        spoil()
        server = Server(baton, folder, configuration(folder / "bans.sqlite", database))
        try:
            lines = eventually("the log says so", lambda: server.lines("database_failed"))
            check(f"and why: {what}", words in lines[0], lines)
            check("relaying goes on", relays(server))
            check("nothing is announced that could be lost", announce(server, "anna")[0] == 500)
            count = server.metrics()['baton_events_total{protocol="lobby",event="database_failed"}']
            check("it is counted and said once", count == 1 and len(server.lines("database_failed")) == 1, count)
            mend()
            eventually("it works again", lambda: server.lines("database_works"))
            status, text = announce(server, "anna")
            check("rooms are announced", status == 200 and "id=1" in text, text)
            check("the server ends well", server.stop() == 0)
            database.unlink()
        finally:
            server.kill()


@contextlib.contextmanager
def disk(folder, size):
    place = folder / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "check", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def read_only(baton, folder):
    with disk(folder, "4m") as place:
        database = place / "bans.sqlite"
        make(baton, folder, database)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        with running(baton, folder, database) as server:
            check("who was banned stays so", holds(server, "127.0.0.8", "from before"))
            suffers(server, "may not be written to")
            subprocess.run(["mount", "-o", "remount,rw", place], check=True)
            recovers(baton, folder, server, database)


def full(baton, folder):
    with disk(folder, "1m") as place:
        database = place / "bans.sqlite"
        with running(baton, folder, database) as server:
            ban(server, "127.0.0.8", "from before")
            check("it works", state(server)["state"] == "database")
            with contextlib.suppress(OSError), open(place / "filler", "wb") as filler:
                while True:
                    filler.write(bytes(4096))
                    filler.flush()
            # What is there has room for some more.
            bans = [{"subject": "address", "value": f"192.0.2.{number}", "reason": "r" * 200} for number in range(200)]
            server.api("POST", "/bans/import", {"bans": bans})
            suffers(server, "the disk is full")
            (place / "filler").unlink()
            recovers(baton, folder, server, database)


baton = sys.argv[1]
for case in (missing, locked, damaged, damaged_while_running, read_only, full, of_the_lobby):
    print(f"--- {case.__name__.replace('_', ' ')}")
    with tempfile.TemporaryDirectory() as folder:
        case(baton, pathlib.Path(folder))
print("databases may fail")
