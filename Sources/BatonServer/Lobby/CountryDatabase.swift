import CMaxMindDB
import RelayCore

/// The countries of addresses, from a file in MaxMind's format.
actor CountryDatabase {
    private let file: MaxMindFile

    /// Throws `BatonError`.
    init(path: String) throws {
        file = try MaxMindFile(path: path)
    }

    /// Two lower-case letters; nothing if the address is not in the file.
    func country(of address: IPAddress) -> String {
        file.country(of: address)
    }
}

/// An open file. What it holds is mapped, not read.
private final class MaxMindFile {
    private var database = MMDB_s()

    init(path: String) throws {
        let status = MMDB_open(path, UInt32(MMDB_MODE_MMAP), &database)
        guard status == MMDB_SUCCESS else {
            let reason = String(cString: MMDB_strerror(status))
            throw BatonError(.storage, "lobby.country_database: \(path) cannot be used: \(reason)")
        }
    }

    deinit {
        MMDB_close(&database)
    }

    func country(of address: IPAddress) -> String {
        var (addressError, fileError): (Int32, Int32) = (0, 0)
        var found = MMDB_lookup_string(&database, "\(address)", &addressError, &fileError)
        guard addressError == 0, fileError == MMDB_SUCCESS, found.found_entry else { return "" }
        return code(at: ["country", "iso_code"], in: &found.entry)
            ?? code(at: ["registered_country", "iso_code"], in: &found.entry) ?? ""
    }

    private func code(at path: [StaticString], in entry: inout MMDB_entry_s) -> String? {
        var keys = path.map { Optional(UnsafeRawPointer($0.utf8Start).assumingMemoryBound(to: CChar.self)) } + [nil]
        var data = MMDB_entry_data_s()
        guard MMDB_aget_value(&entry, &data, &keys) == MMDB_SUCCESS, data.has_data,
            data.type == MMDB_DATA_TYPE_UTF8_STRING, data.data_size == 2, let text = data.utf8_string
        else { return nil }
        let letters = UnsafeRawBufferPointer(start: text, count: 2).map { $0 | 0x20 }
        guard letters.allSatisfy({ (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }) else { return nil }
        return String(decoding: letters, as: UTF8.self)
    }
}
