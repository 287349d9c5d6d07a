import Foundation

/// Writes small GGUF files, whole or wrong.
package struct GGUFBuilder {
    package var version: UInt32 = 3
    package var metadata: [(String, Value)] = []
    /// Elements of each f32 tensor, where none are given in full.
    package var tensors: [UInt64] = [64]
    package var whole: [Whole] = []
    package var claimedTensors: UInt64?
    package var claimedEntries: UInt64?

    /// A tensor with its values; `shape` fastest axis first, `type` as ggml counts types.
    package struct Whole {
        let name: String
        let shape: [Int]
        let type: UInt32
        let bytes: [UInt8]

        package init(_ name: String, _ shape: [Int], type: UInt32, _ bytes: [UInt8]) {
            (self.name, self.shape, self.type, self.bytes) = (name, shape, type, bytes)
        }
    }

    package enum Value {
        case string(String), uint32(UInt32), float32(Float), strings([String]), int32s([Int32]), float32s([Float]), uint8s([UInt8]), bool(
            Bool)
        /// A text whose length is claimed to be this.
        case claim(UInt64)
    }

    /// - Parameter architecture: nil as stable-diffusion.cpp writes files.
    package init(architecture: String?, _ metadata: [(String, Value)] = []) {
        self.metadata = (architecture.map { [("general.architecture", .string($0))] } ?? []) + metadata
    }

    package var bytes: Data {
        var out = Data("GGUF".utf8)
        func put(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { out.append(contentsOf: $0) } }
        func put(_ text: String) {
            put(UInt64(text.utf8.count))
            out.append(contentsOf: text.utf8)
        }
        put(version)
        put(claimedTensors ?? UInt64(whole.isEmpty ? tensors.count : whole.count))
        put(claimedEntries ?? UInt64(metadata.count))
        for (key, value) in metadata {
            put(key)
            switch value {
            case .string(let text): put(UInt32(8)); put(text)
            case .uint32(let number): put(UInt32(4)); put(number)
            case .float32(let number): put(UInt32(6)); put(number.bitPattern)
            case .int32s(let numbers):
                put(UInt32(9)); put(UInt32(5)); put(UInt64(numbers.count))
                numbers.forEach { put($0) }
            case .float32s(let numbers):
                put(UInt32(9)); put(UInt32(6)); put(UInt64(numbers.count))
                numbers.forEach { put($0.bitPattern) }
            case .uint8s(let bytes):
                put(UInt32(9)); put(UInt32(0)); put(UInt64(bytes.count))
                out.append(contentsOf: bytes)
            case .bool(let flag): put(UInt32(7)); put(UInt8(flag ? 1 : 0))
            case .claim(let length): put(UInt32(8)); put(length)
            case .strings(let texts):
                put(UInt32(9)); put(UInt32(8)); put(UInt64(texts.count))
                texts.forEach { put($0) }
            }
        }
        guard whole.isEmpty else { return out + Self.laidOut(whole, from: out.count) }
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

    /// The list of tensors and their data, which begin at a multiple of 32 bytes from the file's start.
    private static func laidOut(_ tensors: [Whole], from start: Int) -> Data {
        var (list, data) = (Data(), Data())
        func put(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { list.append(contentsOf: $0) } }
        for tensor in tensors {
            put(UInt64(tensor.name.utf8.count))
            list.append(contentsOf: tensor.name.utf8)
            put(UInt32(tensor.shape.count))
            tensor.shape.forEach { put(UInt64($0)) }
            put(tensor.type)
            put(UInt64(data.count))
            data.append(contentsOf: tensor.bytes)
            data.append(Data(count: (32 - data.count % 32) % 32))
        }
        list.append(Data(count: (32 - (start + list.count) % 32) % 32))
        return list + data
    }
}
