// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

// Dynamic checks of exclusive access were 41 % of the instructions of a forwarded frame. What is compiled so is a class
// confined to one thread, whose tests run in debug builds with the checks.
let unguarded: [SwiftSetting] = [.unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))]

let nioConcurrency = Target.Dependency.product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

let package = Package(
    name: "baton",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "baton", targets: ["baton"]),
        .executable(name: "soe-examples", targets: ["SOEExamples"]),
        .library(name: "RelayCore", targets: ["RelayCore"]),
        .library(name: "JSONRelay", targets: ["JSONRelay"]),
        .library(name: "Netplay", targets: ["Netplay"]),
        .library(name: "LANBridge", targets: ["LANBridge"]),
        .library(name: "LDN", targets: ["LDN"]),
        .library(name: "SOE", targets: ["SOE"]),
        .library(name: "SOESockets", targets: ["SOESockets"]),
        .library(name: "SOEGateway", targets: ["SOEGateway"]),
        .library(name: "BatonServer", targets: ["BatonServer"]),
        .library(name: "RelayTesting", targets: ["RelayTesting"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        .target(name: "RelayCore", dependencies: [nioCore], swiftSettings: strict),
        .target(name: "CLinuxNet"),
        .target(name: "JSONRelay", dependencies: ["RelayCore", nioCore], swiftSettings: strict),
        .systemLibrary(name: "CMaxMindDB", providers: [.apt(["libmaxminddb-dev"])]),
        .systemLibrary(name: "CMiniUPnP", providers: [.apt(["libminiupnpc-dev"])]),
        .systemLibrary(
            name: "CNgtcp2",
            providers: [.apt(["libgnutls28-dev", "libngtcp2-crypto-gnutls-dev", "libngtcp2-dev"])]),
        .systemLibrary(name: "CQREncode", providers: [.apt(["libqrencode-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "Netplay", dependencies: ["RelayCore", "CZlib", crypto, nioCore], swiftSettings: strict),
        .target(name: "LANBridge", dependencies: ["RelayCore", nioCore], swiftSettings: strict),
        .target(name: "LDN", dependencies: ["RelayCore", nioCore], swiftSettings: strict),
        .target(
            name: "SOE",
            dependencies: [
                "RelayCore", "CZlib", nioCore, .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: strict
        ),
        .target(name: "SOEGateway", dependencies: ["RelayCore", "SOE", nioCore], swiftSettings: strict),
        .target(name: "SOETools", dependencies: ["RelayCore", "SOE", "Captures", nioCore], swiftSettings: strict),
        .target(name: "Captures", dependencies: ["RelayCore", nioCore], swiftSettings: strict),
        .target(
            name: "RelayNIO", dependencies: ["CLinuxNet", "RelayCore", nioConcurrency, nioCore, nioPosix],
            swiftSettings: strict
        ),
        .target(
            name: "SOESockets",
            dependencies: [
                "RelayCore", "RelayNIO", "SOE", nioConcurrency, nioCore, nioPosix,
                .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "QUICTransport", dependencies: ["CNgtcp2", "RelayCore", crypto], swiftSettings: strict + unguarded),
        .target(
            name: "LANSockets",
            dependencies: [
                "CLinuxNet", "LANBridge", "QUICTransport", "RelayCore", nioConcurrency, nioCore, nioPosix,
            ],
            swiftSettings: strict + unguarded),
        .target(
            name: "BatonServer",
            dependencies: [
                "RelayCore", "JSONRelay", "LANBridge", "LANSockets", "LDN", "Netplay", "QUICTransport", "RelayNIO",
                "SOE",
                "SOEGateway", "SOETools", "CLinuxNet",
                "CMaxMindDB", "CMiniUPnP", crypto, nioConcurrency, nioCore, nioPosix, logging, serviceLifecycle, "Yams",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            // In the program itself: it stays one file.
            resources: [
                "openapi.json", "Dashboard/dashboard.html", "Dashboard/dashboard.css", "Dashboard/dashboard.js",
                "Dashboard/graphs.js", "Dashboard/text.js",
            ].map { .embedInCode("Admin/\($0)") },
            swiftSettings: strict
        ),
        .executableTarget(
            name: "baton",
            dependencies: [
                "BatonServer", "CQREncode", "Captures", "LANBridge", "LANSockets", "LDN", "Netplay", "QUICTransport",
                "RelayCore", "SOE", "SOETools", logging, nioCore,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "SOEExamples", dependencies: ["RelayCore", "SOE", "SOESockets", nioCore, nioPosix],
            path: "Examples/SOE", swiftSettings: strict
        ),
        .target(
            name: "RelayTesting",
            dependencies: ["RelayCore", nioCore, .product(name: "HeapModule", package: "swift-collections")],
            swiftSettings: strict
        ),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "CZlib", "Captures", "JSONRelay", "LANBridge", "LDN", "Netplay", "RelayCore", "RelayTesting", "SOE",
                "SOEGateway", "SOETools", nioCore,
            ],
            path: "Fuzz/Targets", swiftSettings: strict
        ),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets", "RelayTesting"], swiftSettings: strict),
        .testTarget(name: "RelayCoreTests", dependencies: ["RelayCore", "RelayTesting"], swiftSettings: strict),
        .testTarget(
            name: "JSONRelayTests", dependencies: ["JSONRelay", "RelayTesting", nioCore], swiftSettings: strict),
        .testTarget(name: "LDNTests", dependencies: ["LDN", "RelayTesting", nioCore], swiftSettings: strict),
        .testTarget(
            name: "NetplayTests", dependencies: ["FuzzTargets", "Netplay", "RelayTesting", crypto, nioCore],
            swiftSettings: strict),
        .testTarget(name: "SOETests", dependencies: ["SOE", "RelayTesting", nioCore], swiftSettings: strict),
        .testTarget(
            name: "SOEGatewayTests", dependencies: ["RelayTesting", "SOE", "SOEGateway", nioCore], swiftSettings: strict
        ),
        .testTarget(
            name: "SOEToolsTests", dependencies: ["Captures", "RelayTesting", "SOE", "SOETools", nioCore],
            swiftSettings: strict),
        .testTarget(
            name: "SOESocketsTests", dependencies: ["SOE", "SOESockets", "RelayCore", nioCore],
            swiftSettings: strict),
        .testTarget(
            name: "LANBridgeTests", dependencies: ["FuzzTargets", "LANBridge", "RelayCore", "RelayTesting", nioCore],
            swiftSettings: strict),
        .testTarget(
            name: "LANSocketsTests", dependencies: ["LANBridge", "LANSockets", "QUICTransport", "RelayCore"],
            swiftSettings: strict),
        .executableTarget(
            name: "QUICPeer", dependencies: ["CLinuxNet", "QUICTransport", "RelayCore"], path: "Tests/QUICPeer",
            swiftSettings: strict),
        .testTarget(
            name: "QUICTransportTests", dependencies: ["QUICTransport", "RelayCore", "RelayTesting"],
            swiftSettings: strict),
        .testTarget(
            name: "BatonServerTests",
            dependencies: [
                "BatonServer", "CLinuxNet", "JSONRelay", "LANBridge", "LDN", "Netplay", "QUICTransport", "RelayCore",
                "RelayTesting", "SOE", "SOEGateway", "SOESockets", "baton", nioConcurrency, nioCore, nioPosix,
                logging,
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
    ]
)

// The programs of the benchmarks without sockets (see Benchmarks/soe.py, Benchmarks/lan.py and Benchmarks/ops.py).
if Context.environment["BATON_BENCH"] != nil {
    package.products.append(.executable(name: "soe-bench", targets: ["SOEBench"]))
    package.targets.append(
        .executableTarget(
            name: "SOEBench", dependencies: ["RelayCore", "SOE", "SOESockets", nioCore, nioPosix],
            path: "Benchmarks/soe", swiftSettings: strict))
    package.products.append(.executable(name: "lan-bench", targets: ["LANBench"]))
    package.targets.append(
        .executableTarget(
            name: "LANBench", dependencies: ["LANBridge", "RelayCore", nioCore], path: "Benchmarks/lan/engine",
            swiftSettings: strict))
    package.products.append(.executable(name: "ops-bench", targets: ["OpsBench"]))
    package.targets.append(
        .executableTarget(
            name: "OpsBench", dependencies: ["RelayCore"], path: "Benchmarks/ops", swiftSettings: strict))
}

// libFuzzer brings its own main function, so the fuzzer is a product only when asked for (see scripts/fuzz).
if Context.environment["BATON_FUZZ"] != nil {
    package.products.append(.executable(name: "fuzz", targets: ["Fuzz"]))
    package.targets.append(
        .executableTarget(name: "Fuzz", dependencies: ["FuzzTargets"], path: "Fuzz/Driver", swiftSettings: strict)
    )
}
