#!/usr/bin/env python3
"""Holds these peers to the recorded bytes: CRCs, ciphers, lengths, and whole sessions put together again.

  check_vectors.py FOLDER
"""
import collections
import glob
import hashlib
import json
import os
import sys

sys.dont_write_bytecode = True
import soe_session  # noqa: E402
import soe_wire as wire  # noqa: E402

folder = sys.argv[1]
checked = collections.Counter()


def vectors(name):
    with open(os.path.join(folder, name)) as file:
        return json.load(file)["vectors"]


for v in vectors("crc32.json"):
    assert f"{wire.crc32(v['seed'], bytes.fromhex(v['input_hex'])):08x}" == v["crc"], v["name"]
    checked["CRCs"] += 1
for v in vectors("crc_trailer.json"):
    data = bytes.fromhex(v["input_hex"])
    assert data + wire.trailer(v["seed"], v["crc_length"], data) == bytes.fromhex(v["output_hex"]), v["name"]
    checked["trailers"] += 1
for v in vectors("rc4.json"):
    cipher = wire.RC4(bytes.fromhex(v["key_hex"]))
    for given, wanted in zip(v["chunks_in"], v["chunks_out"]):
        assert cipher.apply(bytes.fromhex(given)) == bytes.fromhex(wanted), v["name"]
    checked["ciphers"] += 1
for path in sorted(glob.glob(os.path.join(folder, "session_*.json"))):
    with open(path) as file:
        recording = json.load(file)
    key = bytes.fromhex(recording["rc4_key_hex"]) if recording.get("rc4_key_hex") else None
    ends = {}
    for line in recording["datagrams"]:
        datagram = bytes.fromhex(line["hex"])
        if line["type"] == "SessionRequest" and not ends:
            fields = line["fields"]
            for direction, role in (("c2s", "server"), ("s2c", "client")):
                ends[direction] = soe_session.Session(
                    role, wire.DIALECTS["v3"], fields["protocol"], 0.0, fields["session_id"], key)
            assert datagram == wire.request(3, fields["session_id"], fields["udp_length"], fields["protocol"])
        elif line["type"] == "SessionResponse" and not ends["s2c"].open:
            ends["s2c"].receive(datagram, 0.0)
            ends["c2s"].coding, ends["c2s"].open = ends["s2c"].coding, True
        elif line["fate"] != "drop" and ends[line["dir"]].open:
            ends[line["dir"]].receive(datagram, 0.0)
        checked["datagrams"] += 1
    for direction in ("c2s", "s2c"):
        # Both ends echo: what the recording lists for one direction holds for the other.
        wanted = recording.get(f"{direction}_messages_sha256") or recording["c2s_messages_sha256"]
        got = [hashlib.sha256(message).hexdigest() for _, message in ends[direction].messages]
        assert got == wanted, f"{path} {direction}: {len(got)} messages of {len(wanted)}, or other ones"
        assert ends[direction].damaged == 0
        checked["messages"] += len(got)
print("vectors: " + ", ".join(f"{count} {what}" for what, count in checked.items()))
