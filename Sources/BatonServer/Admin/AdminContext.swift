import Hummingbird
import HummingbirdCore
import NIOCore
import RelayCore
import RelayNIO

/// A request to the admin listener, with who asks.
struct AdminContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    let address: IPAddress
    /// What he may do, behind the gate.
    var caller = AdminCaller(name: nil, access: .read)

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        // A connection that is gone by now has no address, and nobody who waits for an answer.
        address = source.channel.remoteAddress?.endpoint?.address ?? .anyIPv6
    }
}

/// Who asks, and what he may do.
struct AdminCaller: Sendable, Equatable {
    /// The name of his token; `nil` where none is wanted.
    var name: String?
    var access: Configuration.Admin.Token.Access
}
