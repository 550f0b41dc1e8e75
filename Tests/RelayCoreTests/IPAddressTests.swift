import RelayCore
import Testing

@Suite("IP addresses")
struct IPAddressTests {
    @Test(arguments: ["0.0.0.0", "127.0.0.1", "203.0.113.9", "255.255.255.255", "::1", "2001:db8::1", "fe80::1:2"])
    func textRoundTrips(_ text: String) throws {
        #expect(try #require(IPAddress(text)).description == text)
    }

    @Test(arguments: ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "[::1]", "fe80::1%eth0", "localhost", "1.2.3.4 "])
    func otherTextIsRefused(_ text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func mappedAddressIsTheIPv4Address() throws {
        #expect(IPAddress("::ffff:10.0.0.1") == IPAddress("10.0.0.1"))
        #expect(try #require(IPAddress("10.0.0.1")).ipv4 == 0x0A00_0001)
        #expect(try #require(IPAddress("::1")).ipv4 == nil)
    }

    @Test func loopback() throws {
        for text in ["127.0.0.1", "127.9.9.9", "::1"] { #expect(try #require(IPAddress(text)).isLoopback) }
        for text in ["128.0.0.1", "::2", "::"] { #expect(try !#require(IPAddress(text)).isLoopback) }
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.200.3.4", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3", "10.1.2.4", false), ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "2001:db8::1", false),
        ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::", false), ("::/0", "8.8.8.8", true),
    ])
    func prefixContains(_ prefix: String, _ address: String, _ expected: Bool) throws {
        #expect(try #require(IPPrefix(prefix)).contains(#require(IPAddress(address))) == expected)
    }

    @Test(arguments: ["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/+8", "::/129", "/8", "10.0.0.0/8/8"])
    func otherPrefixIsRefused(_ text: String) {
        #expect(IPPrefix(text) == nil)
    }

    @Test(arguments: ["10.0.0.0/8", "10.1.2.3", "2001:db8::/32", "::1"])
    func prefixTextRoundTrips(_ text: String) throws {
        #expect(try #require(IPPrefix(text)).description == text)
    }

    @Test func hostBitsOfAPrefixAreDropped() {
        #expect(IPPrefix("10.1.2.3/8") == IPPrefix("10.0.0.0/8"))
    }
}
