import RelayCore
import Testing

@testable import BatonServer

@Suite struct CallerAddressTests {
    private let proxy = "10.0.0.1"

    private func caller(
        at connection: String, _ forwardedFor: [String] = [], realIP: String? = nil,
        trusted: [String] = ["10.0.0.0/24", "2001:db8::1"]
    ) throws -> String {
        let resolver = CallerAddress(trustedProxies: trusted.compactMap { IPPrefix($0) })
        let address = resolver.resolve(
            connection: try #require(IPAddress(connection)), forwardedFor: forwardedFor, realIP: realIP)
        return "\(address)"
    }

    @Test func strangersHeadersAreNotBelieved() throws {
        #expect(try caller(at: "192.0.2.1", ["198.51.100.1"], realIP: "198.51.100.2") == "192.0.2.1")
        #expect(try caller(at: proxy, ["198.51.100.1"], realIP: "198.51.100.2", trusted: []) == proxy)
    }

    @Test func aTrustedProxyIsBelieved() throws {
        #expect(try caller(at: proxy, ["198.51.100.1"]) == "198.51.100.1")
        #expect(try caller(at: "2001:db8::1", ["2001:db8:7::9"]) == "2001:db8:7::9")
        #expect(try caller(at: proxy, realIP: "198.51.100.2") == "198.51.100.2")
        #expect(try caller(at: proxy, ["198.51.100.1"], realIP: "198.51.100.2") == "198.51.100.1")
    }

    /// Everything before the last address that a proxy of ours did not add was written by the caller.
    @Test func whatACallerWroteBeforeIsNotBelieved() throws {
        #expect(try caller(at: proxy, ["1.1.1.1, 2.2.2.2, 198.51.100.1"]) == "198.51.100.1")
        #expect(try caller(at: proxy, ["1.1.1.1", "198.51.100.1"]) == "198.51.100.1")
        #expect(try caller(at: proxy, ["10.0.0.9, 198.51.100.1"]) == "198.51.100.1")
    }

    @Test func severalProxiesAreLookedThrough() throws {
        #expect(try caller(at: proxy, ["1.1.1.1, 198.51.100.1, 10.0.0.7"]) == "198.51.100.1")
        #expect(try caller(at: proxy, ["198.51.100.1", "10.0.0.8,10.0.0.7"]) == "198.51.100.1")
        #expect(try caller(at: proxy, ["10.0.0.8, 10.0.0.7"]) == "10.0.0.8", "the proxy asks for itself")
    }

    @Test func whatIsNoAddressEndsTheWay() throws {
        #expect(try caller(at: proxy, ["198.51.100.1, unknown"]) == proxy)
        #expect(try caller(at: proxy, ["198.51.100.1, , 10.0.0.7, x"]) == proxy)
        #expect(try caller(at: proxy, [""], realIP: "x") == proxy)
    }

    @Test func portsAreLeftOut() throws {
        #expect(try caller(at: proxy, ["198.51.100.1:5300"]) == "198.51.100.1")
        #expect(try caller(at: proxy, ["[2001:db8::7]:5300"]) == "2001:db8::7")
        #expect(try caller(at: proxy, ["\t [2001:db8::7] "]) == "2001:db8::7")
    }
}
