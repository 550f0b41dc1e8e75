import Netplay

extension Configuration.Rooms: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.list(&listen, .listen, canBeEmpty: false)
        walker.list(&proxyProtocolFrom, .proxyProtocolFrom, canBeEmpty: true)
        walker.value(&userTimeout, .userTimeout, in: .between(.seconds(1), .seconds(86_400)))
        walker.secret(
            &password,
            Setting("password", "What guests must know to get in, whatever the room. Without one, everybody gets in."))
        walker.value(
            &rooms.device,
            Setting(
                "device",
                """
                What everybody plays with, in rooms that open from now on.
                joypad: buttons, which is what a RetroArch host offers unless told otherwise.
                analog: buttons and two sticks.
                """))
        describeLimits(to: &walker)
        describeTimeouts(to: &walker)
    }

    private mutating func describeLimits(to walker: inout some SettingWalker) {
        walker.value(
            &rooms.maxRooms, Setting("max_rooms", "The most rooms. 0 means without limit."), in: .between(0, 1_000_000))
        walker.value(
            &rooms.maxGuests, Setting("max_guests", "The most guests of a room, players and spectators."),
            in: .between(1, 31))
        walker.value(
            &rooms.maxStateBytes.asByteSize,
            Setting(
                "max_state_bytes",
                "The longest savestate, compressed or not. Each slow guest may have one waiting for it.",
                needsRestart: true),
            in: .between(.kibibytes(4), .mebibytes(256)))
    }

    private mutating func describeTimeouts(to walker: inout some SettingWalker) {
        walker.value(
            &rooms.handshakeTimeout,
            Setting("handshake_timeout", "How long a guest may take to get in, a password typed by hand included."),
            in: .positive)
        walker.value(
            &rooms.stallTimeout,
            Setting(
                "stall_timeout",
                "How long a room stands still for one player before it goes on without him. RetroArch gives up after 10s."
            ),
            in: .positive)
        walker.value(
            &rooms.stateTimeout,
            Setting("state_timeout", "How long a savestate may be on its way from or to a guest."),
            in: .positive)
        walker.value(
            &rooms.pauseTimeout,
            Setting("pause_timeout", "How long a room waits for a player who pauses it."),
            in: .positive)
    }
}

extension NetplayDevice: SettingChoice {}
