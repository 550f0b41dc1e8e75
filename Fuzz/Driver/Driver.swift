import FuzzTargets

/// libFuzzer with a target of ours; which one, the first argument says.
@main
struct Driver {
    nonisolated static let target: FuzzTarget = {
        guard let name = CommandLine.arguments.dropFirst().first, let target = FuzzTarget(rawValue: name) else {
            preconditionFailure("usage: fuzz \(FuzzTarget.allCases.map(\.rawValue).joined(separator: "|")) [libFuzzer's]")
        }
        return target
    }()

    static func main() {
        // libFuzzer takes the first argument for the program's name, and gets all behind our own.
        var count = CommandLine.argc - 1
        var arguments = CommandLine.unsafeArgv + 1
        _ = runLibFuzzer(&count, &arguments, testOneInput)
    }
}

/// libFuzzer's own main function, which is linked though it never runs, wants this name.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Driver.target.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

@_silgen_name("LLVMFuzzerRunDriver")
private func runLibFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ body: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt
