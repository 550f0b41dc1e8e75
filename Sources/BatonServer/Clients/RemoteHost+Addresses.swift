import CLinuxNet
import NIOPosix
package import RelayCore

extension RemoteHost {
    /// A name of which no address is known; why, in the system's words.
    package struct NotFound: Error, CustomStringConvertible {
        package var name: String
        package var reason: String

        package var description: String { "no address of \(name) can be found: \(reason)" }
    }

    /// More addresses of one name than anybody has use for.
    private static let mostAddresses = 16

    /// Every address the name has, each once, in the order in which the system would try them.
    ///
    /// - Throws: `NotFound`
    package func addresses() async throws -> [Endpoint] {
        if let endpoint { return [endpoint] }
        return try await NIOThreadPool.singleton.runIfActive { try lookUp() }
    }

    /// As `addresses`, on the calling thread, which may wait for seconds.
    package func lookUp() throws -> [Endpoint] {
        var bytes = [UInt8](repeating: 0, count: 16 * Self.mostAddresses)
        let count = clinuxnet_resolve(name, &bytes, Int32(Self.mostAddresses))
        guard count > 0 else {
            throw NotFound(name: name, reason: String(cString: clinuxnet_resolve_failure(count)))
        }
        var endpoints: [Endpoint] = []
        for start in stride(from: 0, to: Int(count) * 16, by: 16) {
            let halves = [bytes[start..<start + 8], bytes[start + 8..<start + 16]].map { half in
                half.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            }
            let endpoint = Endpoint(address: IPAddress(high: halves[0], low: halves[1]), port: port)
            if !endpoints.contains(endpoint) { endpoints.append(endpoint) }
        }
        return endpoints
    }
}
