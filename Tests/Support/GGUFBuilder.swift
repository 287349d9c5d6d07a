import Foundation

/// Writes small GGUF files, whole or wrong.
package struct GGUFBuilder {
    package var version: UInt32 = 3
    package var metadata: [(String, Value)] = []
    /// Elements of each f32 tensor.
    package var tensors: [UInt64] = [64]
    package var claimedTensors: UInt64?
    package var claimedEntries: UInt64?

    package enum Value {
        case string(String), uint32(UInt32), strings([String]), bool(Bool)
        /// A text whose length is claimed to be this.
        case claim(UInt64)
    }

    package init(architecture: String, _ metadata: [(String, Value)] = []) {
        self.metadata = [("general.architecture", .string(architecture))] + metadata
    }

    package var bytes: Data {
        var out = Data("GGUF".utf8)
        func put(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) } }
        func put(_ text: String) {
            put(UInt64(text.utf8.count))
            out.append(contentsOf: text.utf8)
        }
        put(version)
        put(claimedTensors ?? UInt64(tensors.count))
        put(claimedEntries ?? UInt64(metadata.count))
        for (key, value) in metadata {
            put(key)
            switch value {
            case .string(let text): put(UInt32(8)); put(text)
            case .uint32(let number): put(UInt32(4)); put(number)
            case .bool(let flag): put(UInt32(7)); put(UInt8(flag ? 1 : 0))
            case .claim(let length): put(UInt32(8)); put(length)
            case .strings(let texts):
                put(UInt32(9)); put(UInt32(8)); put(UInt64(texts.count))
                texts.forEach { put($0) }
            }
        }
        var offset: UInt64 = 0
        for (index, count) in tensors.enumerated() {
            put("tensor.\(index)"); put(UInt32(1)); put(count); put(UInt32(0)); put(offset)
            // A claimed size may be absurd: the builder only lays out what it can.
            offset = offset &+ (count &* 4 &+ 31) / 32 * 32
        }
        out.append(Data(count: (32 - out.count % 32) % 32))
        out.append(Data(count: Int(min(offset, 1 << 20))))
        return out
    }
}
