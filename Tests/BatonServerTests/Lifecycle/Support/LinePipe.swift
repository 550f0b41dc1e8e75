import Foundation
import NIOCore
import NIOPosix

extension LifecycleTests {
    /// A pipe that a child process writes to, and that is read by lines.
    struct LinePipe {
        let writingEnd: FileHandle

        init(into lines: History<String>) throws {
            var ends: [Int32] = [-1, -1]
            guard pipe(&ends) == 0 else { throw IOError(errnoCode: errno, reason: "pipe") }
            // Another child that kept an end open would keep this pipe from ending.
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            writingEnd = FileHandle(fileDescriptor: ends[1], closeOnDealloc: true)
            NIOPipeBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(LineReader(lines))
                    }
                }
                .takingOwnershipOfDescriptor(input: ends[0])
                .whenFailure { error in
                    lines.append("the pipe cannot be read: \(error)")
                    lines.finish()
                }
        }
    }
}

/// Cuts what arrives into lines.
private final class LineReader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let lines: LifecycleTests.History<String>
    private var rest = ByteBuffer()

    init(_ lines: LifecycleTests.History<String>) {
        self.lines = lines
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        rest.writeImmutableBuffer(unwrapInboundIn(data))
        while let end = rest.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(rest.readString(length: end - rest.readerIndex) ?? "")
            rest.moveReaderIndex(forwardBy: 1)
        }
        rest.discardReadBytes()
    }

    func channelInactive(context: ChannelHandlerContext) {
        if rest.readableBytes > 0 { lines.append(String(buffer: rest)) }
        lines.finish()
    }
}
