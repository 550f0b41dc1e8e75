import ArgumentParser
import BatonServer

struct Ctl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks a running server what goes on, and tells it what to do.",
        discussion: """
            It uses the API of the server's admin listener. Exit codes: 0 done, 1 the server says no, 69 it cannot be \
            asked, 77 the token is missing, wrong or may only read.
            """,
        subcommands: [
            CtlStatus.self, CtlListeners.self, CtlRooms.self, CtlPeers.self, CtlKick.self, CtlClose.self, CtlDrain.self,
            CtlReload.self, CtlLogLevel.self, CtlBans.self, CtlBan.self, CtlUnban.self, CtlImportBans.self,
            CtlEvents.self,
        ]
    )
}
