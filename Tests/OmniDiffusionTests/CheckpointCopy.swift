import Foundation
import Testing

@testable import OmniTensor

/// A copy of a fixture that a test may spoil; it goes away with the test.
final class CheckpointCopy {
    struct Stored {
        var type: String
        /// Slowest axis first, as the file has it.
        var shape: [Int]
        var bytes: [UInt8]
    }

    let folder = NSTemporaryDirectory() + "checkpoint-\(UUID().uuidString)"

    init(_ name: String, in root: String = Fixtures.root) throws {
        try FileManager.default.copyItem(atPath: "\(root)/\(name)", toPath: folder)
    }
    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// Puts other words in the place of those that a file has. Throws where it does not have them.
    func replace(_ words: String, with others: String, in file: String) throws {
        let path = "\(folder)/\(file)"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        try #require(text.contains(words))
        try text.replacingOccurrences(of: words, with: others).write(toFile: path, atomically: true, encoding: .utf8)
    }

    /// Rewrites every file of tensors of a component, or of all.
    func rewrite(_ component: String? = nil, _ change: (inout [String: Stored]) -> Void) throws {
        for path in try files(component) {
            var tensors: [String: Stored] = [:]
            for entry in try Safetensors.entries(path: path) {
                let shape = entry.isFolded ? Array(entry.shape[..<3]) + entry.folded : entry.shape
                tensors[entry.name] = Stored(
                    type: entry.encoding == .native(.i64) ? "I64" : "F32", shape: shape.reversed(),
                    bytes: try entry.file.read(at: entry.offset, count: entry.byteCount))
            }
            change(&tensors)
            try Self.write(tensors, path)
        }
    }

    func files(_ component: String?) throws -> [String] {
        let all = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
        return all.filter { $0.hasSuffix(".safetensors") && $0.hasPrefix(component ?? "") }.sorted().map { "\(folder)/\($0)" }
    }

    /// Every tensor of floats as bf16, rounded to the nearest.
    func roundToBF16() throws {
        try rewrite { tensors in
            for (name, stored) in tensors where stored.type == "F32" {
                let halves = stored.bytes.withUnsafeBytes {
                    $0.bindMemory(to: UInt32.self).map { UInt16(truncatingIfNeeded: ($0 + 0x7fff + ($0 >> 16 & 1)) >> 16) }
                }
                tensors[name] = Stored(type: "BF16", shape: stored.shape, bytes: halves.withUnsafeBytes { Array($0) })
            }
        }
    }

    static func write(_ tensors: [String: Stored], _ path: String) throws {
        var (claims, data) = ([String](), [UInt8]())
        for (name, stored) in tensors.sorted(by: { $0.key < $1.key }) {
            claims.append(
                "\"\(name)\":{\"dtype\":\"\(stored.type)\",\"shape\":\(stored.shape),\"data_offsets\":[\(data.count),\(data.count + stored.bytes.count)]}"
            )
            data += stored.bytes
        }
        let header = Array("{\(claims.joined(separator: ","))}".utf8)
        let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
        try Data(length + header + data).write(to: URL(fileURLWithPath: path))
    }
}
