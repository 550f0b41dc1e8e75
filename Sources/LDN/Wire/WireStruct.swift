package import NIOCore

/// A struct of the protocol: so many bytes, fields at fixed offsets, some of them unaligned, gaps of padding between.
///
/// It names each field once, in `walk`. From that one list it is read, written and compared with the specification, so
/// these cannot drift apart.
package protocol WireStruct: Equatable, Sendable {
    /// All fields zero.
    init()
    /// Its bytes, padding included.
    var size: Int { get }
    /// Shows every field to a walker, under the specification's name and at its offset.
    mutating func walk(_ fields: inout some FieldWalker)
}

/// Something that goes through the fields of a struct: it may fill them, or only look.
package protocol FieldWalker {
    mutating func integer<Value: FixedWidthInteger & Sendable>(_ value: inout Value, _ name: String, at offset: Int)

    /// A field of up to 16 bytes without a byte order.
    mutating func octets<Value: OctetString>(_ value: inout Value, _ name: String, at offset: Int)

    /// A field of `count` bytes that is text or nobody's concern. What is shorter is followed by zeros on the wire.
    mutating func bytes(_ value: inout ByteBuffer, _ name: String, at offset: Int, count: Int)

    mutating func structure<Value: WireStruct>(_ value: inout Value, _ name: String, at offset: Int)
}

extension FieldWalker {
    /// A number with a meaning.
    mutating func value<Value: RawRepresentable>(
        _ value: inout Value, _ name: String, at offset: Int
    ) where Value.RawValue: FixedWidthInteger & Sendable {
        var raw = value.rawValue
        integer(&raw, name, at: offset)
        // Wire values are structs over all their raw values.
        value = Value(rawValue: raw) ?? value
    }

    /// One byte; whatever is not 0 is true.
    mutating func flag(_ value: inout Bool, _ name: String, at offset: Int) {
        var raw: UInt8 = value ? 1 : 0
        integer(&raw, name, at: offset)
        value = raw != 0
    }

    /// So many structs of one kind, one behind the other. A list always has that length on the wire.
    mutating func array<Value: WireStruct>(_ values: inout [Value], _ name: String, at offset: Int, count: Int) {
        for index in 0..<count {
            var value = index < values.count ? values[index] : Value()
            structure(&value, "\(name)[\(index)]", at: offset + index * value.size)
            if index < values.count { values[index] = value } else { values.append(value) }
        }
    }
}

extension WireStruct {
    /// Reads the struct from the front of a payload, what follows it being left alone; `nil` if that is too short.
    ///
    /// - Parameter prototype: says which form of a struct is expected, where there are several.
    package init?(_ payload: ByteBuffer, like prototype: Self = Self()) {
        guard payload.readableBytes >= prototype.size else { return nil }
        self = prototype
        var reader = StructReader(payload)
        walk(&reader)
    }

    /// Appends the struct's bytes, zeros in all padding.
    package func write(into bytes: inout ByteBuffer) {
        var fields = self
        // Taken out and put back: with two holders, the first write would copy everything.
        var taken = ByteBuffer()
        swap(&taken, &bytes)
        var writer = StructWriter(consume taken, size: size)
        fields.walk(&writer)
        bytes = writer.bytes
    }
}

/// Fills a struct from bytes that are known to be enough.
private struct StructReader: FieldWalker {
    private let bytes: ByteBuffer
    private var origin: Int

    init(_ bytes: ByteBuffer) {
        self.bytes = bytes
        origin = bytes.readerIndex
    }

    mutating func integer<Value: FixedWidthInteger & Sendable>(_ value: inout Value, _ name: String, at offset: Int) {
        value = bytes.getInteger(at: origin + offset, endianness: .little) ?? 0
    }

    mutating func octets<Value: OctetString>(_ value: inout Value, _ name: String, at offset: Int) {
        value = Value(octets: bytes.getSlice(at: origin + offset, length: Value.count) ?? ByteBuffer())
    }

    mutating func bytes(_ value: inout ByteBuffer, _ name: String, at offset: Int, count: Int) {
        value = bytes.getSlice(at: origin + offset, length: count) ?? ByteBuffer()
    }

    mutating func structure<Value: WireStruct>(_ value: inout Value, _ name: String, at offset: Int) {
        origin += offset
        value.walk(&self)
        origin -= offset
    }
}

/// Appends a struct to bytes: zeros first, then each field over them.
private struct StructWriter: FieldWalker {
    private(set) var bytes: ByteBuffer
    private var origin: Int

    init(_ bytes: consuming ByteBuffer, size: Int) {
        origin = bytes.writerIndex
        self.bytes = bytes
        self.bytes.writeRepeatingByte(0, count: size)
    }

    mutating func integer<Value: FixedWidthInteger & Sendable>(_ value: inout Value, _ name: String, at offset: Int) {
        bytes.setInteger(value, at: origin + offset, endianness: .little)
    }

    mutating func octets<Value: OctetString>(_ value: inout Value, _ name: String, at offset: Int) {
        for index in 0..<Value.count {
            bytes.setInteger(value.octet(index), at: origin + offset + index)
        }
    }

    mutating func bytes(_ value: inout ByteBuffer, _ name: String, at offset: Int, count: Int) {
        bytes.setBytes(value.readableBytesView.prefix(count), at: origin + offset)
    }

    mutating func structure<Value: WireStruct>(_ value: inout Value, _ name: String, at offset: Int) {
        origin += offset
        value.walk(&self)
        origin -= offset
    }
}
