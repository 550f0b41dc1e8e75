/// The version of this server.
package enum BatonVersion {
    package static let current = "0.1.0"
}
