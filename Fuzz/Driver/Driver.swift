import FuzzTargets
import Glibc

/// libFuzzer calls this with each input. Which target gets it, the environment says.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    chosen.run(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

private let chosen: FuzzTarget = {
    let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
    guard let target = FuzzTarget(rawValue: name) else {
        fputs("FUZZ_TARGET must be one of \(FuzzTarget.allCases.map(\.rawValue))\n", stderr)
        exit(2)
    }
    return target
}()
