/// A program that talks like a RetroArch that hosts, as far as a door and a supervisor can tell. What it does wrong is
/// in the name of the content it is given.
enum FakeRetroArch {
    static let script = #"""
        #!/usr/bin/env python3
        import os, signal, socket, struct, sys, threading, time
        if "--version" in sys.argv:
            print("RetroArch: Frontend for libretro -- v1.14.0 -- abcdef --")
            sys.exit(0)
        fault = os.path.basename(sys.argv[-1]).split(".")[0]
        port = int(sys.argv[sys.argv.index("--port") + 1])
        config = sys.argv[sys.argv.index("--config") + 1]
        assert os.path.exists(config) and os.environ["HOME"] == os.path.dirname(config)
        print("hosting as", sys.argv[sys.argv.index("--nick") + 1], flush=True)
        if fault == "crash":
            print("something is terribly wrong", flush=True)
            sys.exit(3)
        if fault == "silent":
            time.sleep(1000)
        if fault == "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        header = b"RANP" + struct.pack(">5I", 0x40008, 1, 0, 6, 0x469)
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("0.0.0.0", port))
        listener.listen(16)
        def serve(peer):
            first = b""
            while len(first) < 4:
                piece = peer.recv(4 - len(first))
                if not piece: return
                first += piece
            peer.sendall(header)
            if first == b"RANP":
                while True:
                    data = peer.recv(65536)
                    if not data: break
                    if data.endswith(b"die"): os._exit(7)
                    peer.sendall(data)
            peer.close()
        def chatter():
            while True:
                os.write(1, b"x" * 4096 + b"\n" * 64)
        if fault == "chatter":
            threading.Thread(target=chatter, daemon=True).start()
        while True:
            peer, _ = listener.accept()
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

        """#

    static let info = """
        corename = "Fake"
        supported_extensions = "rom"
        display_version = "2.0"

        """
}
