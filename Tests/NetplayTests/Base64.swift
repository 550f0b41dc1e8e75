import Foundation

/// An independent judge of how a session is named.
func base64(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString()
}
