import JSONRelay

extension Configuration.JSON: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        describeListeners(to: &walker)
        describeProtocol(to: &walker)
        describeLimits(to: &walker)
    }

    private mutating func describeListeners(to walker: inout some SettingWalker) {
        walker.list(&listen, .listen, canBeEmpty: false)
        walker.list(&proxyProtocolFrom, .proxyProtocolFrom, canBeEmpty: true)
        walker.value(
            &queueBytes.asByteSize,
            Setting(
                "queue_bytes", "How much may wait for one slow client before it is disconnected.", needsRestart: true),
            in: .between(.kibibytes(4), .mebibytes(1024)))
        walker.value(
            &queueFrames,
            Setting("queue_frames", "How many frames may wait for one slow client.", needsRestart: true),
            in: .between(1, 1_000_000))
        walker.value(&userTimeout, .userTimeout, in: .between(.seconds(1), .seconds(86_400)))
    }

    private mutating func describeProtocol(to walker: inout some SettingWalker) {
        walker.value(
            &relay.readmeNames,
            Setting(
                "readme_names",
                """
                Under which names content travels to a client.
                auto: also as payloadContent to a client that used that name itself.
                never: never as payloadContent, which is not read either.
                always: always under both names.
                """))
        walker.value(
            &relay.payloadEscaping,
            Setting(
                "payload_escaping",
                """
                What the receiver of a message decodes.
                transparent: just what the sender encoded.
                reference: what the original server makes of it, every escape sequence escaped once more.
                """))
        walker.value(
            &relay.sourcePolicy,
            Setting(
                "source_policy",
                """
                Who decides the source of a forwarded message.
                enforce: the relay, it is the sender's true id.
                trust: the sender, as in the original server.
                """))
        walker.value(
            &relay.errorReplies,
            Setting(
                "error_replies",
                """
                Which mistakes of a sender are answered with an ERROR.
                readme: all that can be, as the original's documentation promises.
                reference: only an id that is in use, as the original's code does.
                """))
        walker.value(&relay.requireInit, Setting("require_init", "Whether a client must INIT before it may send."))
    }

    private mutating func describeLimits(to walker: inout some SettingWalker) {
        walker.value(
            &relay.maxFrame.asByteSize, Setting("max_frame", "The longest body of a frame."),
            in: .between(.kibibytes(1), .mebibytes(64)))
        walker.value(
            &relay.frameTimeout,
            Setting("frame_timeout", "How long a frame may take from its first byte to its last."),
            in: .between(.milliseconds(1), .seconds(86_400)))
        walker.value(
            &relay.idleTimeout,
            Setting("idle_timeout", "A client silent for so long is disconnected. 0 means never."),
            in: .between(.zero, .seconds(365 * 86_400)))
        walker.value(
            &relay.closeGrace,
            Setting("close_grace", "How long after a CLOSE the connection waits for another INIT."),
            in: .between(.zero, .seconds(86_400)))
        walker.value(
            &relay.maxClients,
            Setting("max_clients", "The most clients with an id. 0 means without limit."),
            in: .between(0, 10_000_000))
        walker.value(
            &relay.messageRate,
            Setting("message_rate", "Messages of one client each second. 0 means without limit."),
            in: .between(0, 1_000_000))
        walker.value(
            &relay.maxStrikes,
            Setting(
                "max_strikes",
                "How many faulty (but readable) messages in a row end a connection. One a second is forgiven."),
            in: .between(1, 1_000_000))
    }
}

extension JSONRelayConfiguration.ReadmeNames: SettingChoice {}
extension JSONRelayConfiguration.PayloadEscaping: SettingChoice {}
extension JSONRelayConfiguration.SourcePolicy: SettingChoice {}
extension JSONRelayConfiguration.ErrorReplies: SettingChoice {}
