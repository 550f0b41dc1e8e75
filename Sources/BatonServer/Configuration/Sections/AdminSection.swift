import RelayCore

extension Configuration.Admin: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.list(&listen, .listen, canBeEmpty: false)
        walker.secret(
            &token,
            Setting(
                "token",
                """
                What a caller must send as its bearer token. Without one, here or in tokens, only loopback may be listened \
                on, and nothing can be changed over HTTP.
                """))
        walker.records(
            &tokens,
            Setting("tokens", "More tokens, one for each person or program. The log names who changed something."),
            sample: .sample)
        walker.list(
            &hosts,
            Setting(
                "hosts",
                """
                Names of this machine by which the API may be asked for without a token, beside localhost and addresses. \
                Others are turned away: they may be a web page's trick.
                """),
            canBeEmpty: true)
        walker.optional(
            &bansDatabase,
            Setting(
                "bans_database",
                """
                The SQLite file that keeps bans made over the API. Without one a restart forgets them. Should it not work, \
                bans hold nevertheless, and the log tells.
                """,
                needsRestart: true),
            sample: "/var/lib/baton/bans.sqlite")
    }
}

extension Configuration.Admin.Token: SettingSection {
    static var sample: Configuration.Admin.Token {
        var token = Configuration.Admin.Token()
        token.name = "grafana"
        token.expires = Timestamp(seconds: 1_893_456_000)
        return token
    }

    mutating func describe(to walker: inout some SettingWalker) {
        walker.value(&name, Setting("name", "Whose it is, for the log.", isRequired: true))
        walker.secret(&token, Setting("token", "The token."))
        walker.value(&access, Setting("access", "Whether it may also change things."))
        walker.optional(
            &expires, Setting("expires", "Until when it is good; for ever if it is left out."),
            sample: Timestamp(seconds: 1_893_456_000))
    }
}

extension Configuration.Admin.Token.Access: SettingChoice {}
