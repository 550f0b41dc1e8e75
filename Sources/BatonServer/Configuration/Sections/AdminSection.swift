extension Configuration.Admin: SettingSection {
    mutating func describe(to walker: inout some SettingWalker) {
        walker.list(&listen, .listen, canBeEmpty: false)
        walker.secret(
            &token,
            Setting(
                "token",
                """
                What a caller must send as its bearer token. Without one only loopback may be listened on, and nothing \
                can be changed over HTTP.
                """,
                needsRestart: true))
    }
}
