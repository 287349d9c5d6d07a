import Foundation

/// Writes small GGUF files, whole or wrong.
struct GGUFBuilder {
    var version: UInt32 = 3
    var metadata: [(String, Value)] = []
    /// Elements of each f32 tensor.
    var tensors: [UInt64] = [64]
    var claimedTensors: UInt64?
    var claimedEntries: UInt64?

    enum Value {
        case string(String), uint32(UInt32), strings([String]), bool(Bool)
        /// A text whose length is claimed to be this.
        case claim(UInt64)
    }

    init(architecture: String, _ metadata: [(String, Value)] = []) { self.metadata = [("general.architecture", .string(architecture))] + metadata }

    var bytes: Data {
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
            offset += (count * 4 + 31) / 32 * 32
        }
        out.append(Data(count: (32 - out.count % 32) % 32))
        out.append(Data(count: Int(min(offset, 1 << 20))))
        return out
    }
}

/// A folder that is gone when the test ends.
final class TemporaryFolder: Sendable {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: "omni-test-\(UUID().uuidString)", directoryHint: .isDirectory)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    /// Writes a file and the folders above it.
    @discardableResult
    func write(_ path: String, _ data: Data = Data("x".utf8)) throws -> URL {
        let file = url.appending(path: path)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try data.write(to: file)
        return file
    }

    func write(_ path: String, _ text: String) throws { try write(path, Data(text.utf8)) }
}
