/// Why a savestate cannot be given another form.
package enum SavestateError: Error, Equatable {
    /// It is no zlib stream, or it holds more or less than its message says.
    case bad
    /// It says that it holds more than is allowed.
    case tooLarge
}
