import RelayCore
import Testing

@Suite("Addresses of the internet, and those that are not")
struct SpecialAddressTests {
    @Test(
        "set aside for something",
        arguments: [
            "0.0.0.0", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "169.254.169.254", "172.16.0.1",
            "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1",
            "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:10.0.0.1", "fe80::1",
            "fc00::1", "fdff::1", "ff02::1", "2001:db8::1", "2001::1", "2002:7f00:1::1", "64:ff9b::a00:1", "3fff::1",
            "::7f00:1", "64:ff9b:1::1",
        ])
    func special(text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(!address.isGlobal)
    }

    @Test(
        "of the internet",
        arguments: [
            "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0",
            "192.0.1.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700::1111", "2001:4860::8888",
            "2002:808:808::1", "64:ff9b::808:808",
        ])
    func global(text: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.isGlobal)
    }
}
