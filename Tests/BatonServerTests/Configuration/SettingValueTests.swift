import RelayCore
import Testing

@testable import BatonServer

@Suite struct SettingValueTests {
    @Test(arguments: [
        ("0", 0, "0"), ("500ms", 500, "500ms"), ("30s", 30_000, "30s"), ("5m", 300_000, "5m"), ("2h", 7_200_000, "2h"),
        ("1d", 86_400_000, "1d"), ("1m30s", 90_000, "1m30s"), ("90s", 90_000, "1m30s"), ("24h", 86_400_000, "1d"),
        ("1d1h1m1s1ms", 90_061_001, "1d1h1m1s1ms"), ("0s", 0, "0"),
    ])
    func duration(text: String, milliseconds: Int64, printed: String) throws {
        let duration = try Duration(setting: text)
        #expect(duration == .milliseconds(milliseconds))
        #expect(duration.settingText == printed)
        #expect(try Duration(setting: printed) == duration)
    }

    @Test(arguments: [
        "", "5", "s", "-1s", "1.5s", "1 s", "1S", "30s1m", "1m1m", "1m30", "1w", "999999999999d", "٣s",
        "99999999999999999999s",
    ])
    func noDuration(text: String) {
        #expect(throws: BadValue.self) { try Duration(setting: text) }
    }

    @Test(arguments: [
        ("0", 0, "0"), ("512", 512, "512"), ("512B", 512, "512"), ("64KiB", 65_536, "64KiB"), ("1MiB", 1 << 20, "1MiB"),
        ("1024KiB", 1 << 20, "1MiB"), ("2GiB", 2 << 30, "2GiB"), ("1KB", 1000, "1000"), ("1kB", 1000, "1000"),
        ("1MB", 1_000_000, "1000000"), ("1GB", 1_000_000_000, "1000000000"), ("1536", 1536, "1536"),
    ])
    func size(text: String, bytes: Int, printed: String) throws {
        let size = try ByteSize(setting: text)
        #expect(size.bytes == bytes)
        #expect(size.settingText == printed)
        #expect(try ByteSize(setting: printed) == size)
    }

    @Test(arguments: ["", "KiB", "-1", "1.5MiB", "1 KiB", "1kib", "1K", "1M", "99999999999GiB", "99999999999999999999"])
    func noSize(text: String) {
        #expect(throws: BadValue.self) { try ByteSize(setting: text) }
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2000-02-29T12:34:56Z", 951_827_696), ("2030-01-01T00:00:00Z", 1_893_456_000),
            ("2030-01-01t01:00:00+01:00", 1_893_456_000), ("2029-12-31 18:30:00-05:30", 1_893_456_000),
            ("1969-12-31T23:59:59.999z", -1), ("2016-12-31T23:59:60Z", 1_483_228_800),
            ("1900-03-01T00:00:00Z", -2_203_891_200),
            ("0000-01-01T00:00:00Z", -62_167_219_200), ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] as [(String, Int64)])
    func timestamp(text: String, seconds: Int64) throws {
        let timestamp = try Timestamp(setting: text)
        #expect(timestamp.seconds == seconds)
        #expect(try Timestamp(setting: timestamp.settingText) == timestamp)
    }

    @Test(arguments: [
        "", "2030", "2030-01-01", "2030-01-01T00:00:00", "2030-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
        "2030-13-01T00:00:00Z", "2030-04-31T00:00:00Z", "2030-01-01T24:00:00Z", "2030-01-01T00:60:00Z",
        "2030-01-01T00:00:61Z", "2030-01-01T00:00:00.Z", "2030-01-01T00:00:00+1:00", "2030-01-01T00:00:00ZZ",
        "2030-00-01T00:00:00Z", "2030-01-00T00:00:00Z", "30-01-01T00:00:00Z",
    ])
    func noTimestamp(text: String) {
        #expect(throws: BadValue.self) { try Timestamp(setting: text) }
    }

    @Test(arguments: ["", "-1", "+1", "1.0", "0x10", "1_000", "ten", "99999999999999999999"])
    func noNumber(text: String) {
        #expect(throws: BadValue.self) { try Int(setting: text) }
    }

    @Test(
        arguments: [
            ("max_framee", "max_frame"), ("maxframe", "max_frame"), ("mxa_frame", "max_frame"), ("LISTEN", "listen"),
            ("lsiten", "listen"), ("zzz", nil), ("lan", nil), ("", nil), ("abcdefghijkl", nil),
        ] as [(String, String?)])
    func nearestWord(text: String, expected: String?) {
        #expect(nearest(to: text, among: ["listen", "max_frame", "log"]) == expected)
        #expect(nearest(to: text + String(repeating: "x", count: 70), among: ["listen"]) == nil)
    }
}
