import Crypto
import RelayCore

/// The address of somebody who is not the operator: the log may have it hidden.
struct StrangerAddress: CustomStringConvertible, Sendable {
    let description: String
    /// Without the port, so that two connections of one address look the same.
    private let hidden: String

    init(_ text: any CustomStringConvertible) {
        description = text.description
        hidden = (text as? Endpoint)?.address.description ?? text.description
    }

    /// Something in its place that is the same for the same address, until the server ends, and tells nothing of it.
    func hashed(with key: SymmetricKey) -> String {
        let code = HMAC<SHA256>.authenticationCode(for: Array(hidden.utf8), using: key)
        let digits = code.prefix(6).map { octet in
            let text = String(octet, radix: 16)
            return text.count == 1 ? "0" + text : text
        }
        return "#" + digits.joined()
    }
}
