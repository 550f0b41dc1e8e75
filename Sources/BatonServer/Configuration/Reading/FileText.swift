import Glibc

/// Why a file could not be read.
struct FileFailure: Error {
    var reason: String
}

/// All of a file, which must be UTF-8.
func readText(ofFile path: String, atMost limit: Int) throws(FileFailure) -> String {
    guard let file = fopen(path, "re") else { throw FileFailure(reason: lastError) }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: limit + 1)
    let count = fread(&bytes, 1, bytes.count, file)
    if ferror(file) != 0 { throw FileFailure(reason: lastError) }
    if count > limit { throw FileFailure(reason: "is larger than \(ByteSize(bytes: limit).settingText)") }
    guard let text = String(validating: bytes.prefix(count), as: UTF8.self) else {
        throw FileFailure(reason: "is not UTF-8 text")
    }
    return text
}

/// What the operating system says of the call before.
private var lastError: String {
    String(cString: strerror(errno))
}
