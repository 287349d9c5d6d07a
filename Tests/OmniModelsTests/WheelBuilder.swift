import Crypto
import Foundation

/// A zip file as a Python package is one, of entries that are stored, or deflated already.
struct WheelBuilder {
    private var body = Data(), list = Data(), count = 0

    /// `size` of what `bytes` stand for where they are deflated.
    mutating func add(_ name: String, _ bytes: Data, deflatedFrom size: Int? = nil) {
        let start = body.count, head = Self.numbers([20, 0, size == nil ? 0 : 8, 0, 0], as: UInt16.self)
        let sizes = Self.numbers([0, bytes.count, size ?? bytes.count], as: UInt32.self)
        let lengths = Self.numbers([name.utf8.count, 0], as: UInt16.self)
        body += Self.numbers([0x0403_4b50], as: UInt32.self) + head + sizes + lengths + Data(name.utf8) + bytes
        list += Self.numbers([0x0201_4b50], as: UInt32.self) + Self.numbers([20], as: UInt16.self) + head + sizes + lengths
        list += Self.numbers([0, 0, 0], as: UInt16.self) + Self.numbers([0, start], as: UInt32.self) + Data(name.utf8)
        count += 1
    }

    mutating func add(_ name: String, _ text: String) { add(name, Data(text.utf8)) }

    var data: Data {
        body + list + Self.numbers([0x0605_4b50], as: UInt32.self) + Self.numbers([0, 0, count, count], as: UInt16.self)
            + Self.numbers([list.count, body.count], as: UInt32.self) + Self.numbers([0], as: UInt16.self)
    }

    private static func numbers<Number: FixedWidthInteger>(_ values: [Int], as type: Number.Type) -> Data {
        values.reduce(into: Data()) { data, value in withUnsafeBytes(of: Number(value).littleEndian) { data.append(contentsOf: $0) } }
    }
}

/// SHA-256 as pins have it.
func hexSum(_ data: Data) -> String { SHA256.hash(data: data).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }
