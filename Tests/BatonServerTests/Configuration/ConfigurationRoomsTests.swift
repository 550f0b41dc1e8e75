import Netplay
import RelayCore
import Testing

@testable import BatonServer

@Suite("Configuration: rooms")
struct ConfigurationRoomsTests {
    @Test func roomsAreOffUnlessTheirSectionIsThere() throws {
        #expect(try configuration("netplay:\n").netplay?.rooms == nil)
        let rooms = try configuration("netplay:\n  rooms:\n").netplay?.rooms
        #expect(rooms == Configuration.Rooms())
        #expect(rooms?.listen.map(\.description) == ["0.0.0.0:55436", "[::]:55436"])
        #expect(rooms?.rooms == RoomConfiguration())
    }

    @Test func everySettingIsRead() throws {
        let yaml = """
            netplay:
              rooms:
                listen: "[::1]:2"
                proxy_protocol_from: 10.1.1.1
                user_timeout: 14s
                password: sesame
                device: analog
                max_rooms: 15
                max_guests: 16
                max_state_bytes: 17KiB
                handshake_timeout: 18s
                stall_timeout: 19s
                state_timeout: 20s
                pause_timeout: 21s

            """
        var rooms = Configuration.Rooms()
        rooms.listen = [Endpoint(address: IPAddress(high: 0, low: 1), port: 2)]
        rooms.proxyProtocolFrom = [try #require(IPPrefix("10.1.1.1"))]
        rooms.userTimeout = .seconds(14)
        rooms.password = Secret("sesame")
        rooms.rooms.device = .analog
        (rooms.rooms.maxRooms, rooms.rooms.maxGuests, rooms.rooms.maxStateBytes) = (15, 16, 17 << 10)
        (rooms.rooms.handshakeTimeout, rooms.rooms.stallTimeout) = (.seconds(18), .seconds(19))
        (rooms.rooms.stateTimeout, rooms.rooms.pauseTimeout) = (.seconds(20), .seconds(21))
        #expect(try configuration(yaml).netplay?.rooms == rooms)
    }

    @Test func variablesReachIntoASectionWithinAnother() throws {
        let read = try configuration("json:\n", ["BATON_NETPLAY__ROOMS__MAX_ROOMS": "3"])
        #expect(read.netplay?.rooms?.rooms.maxRooms == 3)
        #expect(
            diagnostics(of: "netplay: {listen: 127.0.0.1:1}", ["BATON_NETPLAY__LISTEN__X": "1"])
                == ["environment: BATON_NETPLAY__LISTEN__X: 'netplay.listen' is not a section that could hold 'x'"])
    }

    @Test func developmentListensOnLoopback() throws {
        let development = try Configuration.development(environment: [:])
        #expect(development.netplay?.rooms?.listen.map(\.description) == ["127.0.0.1:55436"])
    }

    @Test func numberOfGuestsIsWhatTheProtocolCanCount() {
        let error = #expect(throws: ConfigurationError.self) { try configuration("netplay: {rooms: {max_guests: 32}}") }
        #expect(error?.description.contains("netplay.rooms.max_guests: '32' is not between 1 and 31") == true)
    }

    @Test func listenersOfRoomsAreNoOthers() {
        let yaml = "netplay: {listen: 127.0.0.1:7, rooms: {listen: 127.0.0.1:7}}"
        let error = #expect(throws: ConfigurationError.self) { try configuration(yaml) }
        #expect(
            error?.description.contains("netplay.rooms.listen[0]: 127.0.0.1:7 is also in netplay.listen[0]") == true)
    }
}
