import Foundation
import OmniEngine
import OmniTestSupport
import Testing

@testable import OmniTensor

@Suite struct WeightTests {
    /// A folder that goes away with the test.
    final class Folder {
        let path = NSTemporaryDirectory() + "weights-\(UUID().uuidString)"
        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }

        /// A safetensors file; `shape` as PyTorch writes it.
        func write(_ name: String, _ tensors: [(name: String, type: String, shape: [Int], bytes: [UInt8])], cut: Int = 0) throws {
            var (header, data, start) = ("{", [UInt8](), 0)
            for (index, tensor) in tensors.enumerated() {
                header +=
                    (index == 0 ? "" : ",")
                    + "\"\(tensor.name)\":{\"dtype\":\"\(tensor.type)\",\"shape\":\(tensor.shape),\"data_offsets\":[\(start),\(start + tensor.bytes.count)]}"
                data += tensor.bytes
                start += tensor.bytes.count
            }
            // As published files are: the tensors start at a multiple of eight.
            header += "}" + String(repeating: " ", count: 7 - header.utf8.count % 8)
            let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
            try Data((length + Array(header.utf8) + data).dropLast(cut)).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        }

        /// A safetensors file of a header alone.
        func write(_ name: String, header: String) throws {
            let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
            try (length + Data(header.utf8)).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        }

        func write(_ name: String, text: String) throws { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)")) }
    }

    static func bytes(_ values: [Float]) -> [UInt8] { values.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } } }
    static func halves(_ values: [UInt16]) -> [UInt8] { values.flatMap { withUnsafeBytes(of: $0.littleEndian) { Array($0) } } }

    static func read(_ store: WeightStore, _ name: String, _ shape: [Int], _ backend: Backend) throws -> [Float] {
        try Executor(backend).evaluate(ComputeScope()) { graph in
            let tensor = try store.tensor(name, shape)
            // Rows by index come out as f32 whatever they are stored as.
            return [
                shape.count == 1
                    ? try graph.scale(tensor)
                    : try graph.embedding(tensor, ids: graph.input([shape[1]], integers: (0..<Int32(shape[1])).map { $0 }))
            ]
        }[0]
    }

    @Test func everyFloatTypeIsRead() throws {
        let folder = try Folder()
        try folder.write(
            "model.safetensors",
            [
                ("f32", "F32", [2, 2], Self.bytes([1, -2, 3, 4.5])),
                ("bf16", "BF16", [2, 2], Self.halves([0x3f80, 0xc000, 0x4040, 0x4090])),
                ("f16", "F16", [2, 2], Self.halves([0x3c00, 0xc000, 0x4200, 0x4480])),
                ("e4m3", "F8_E4M3", [2, 2], [0x38, 0xc0, 0x44, 0x49]),
                ("e5m2", "F8_E5M2", [2, 2], [0x3c, 0xc0, 0x42, 0x44]),
                ("vector", "BF16", [2], Self.halves([0x3f80, 0xc000])),
            ])
        let backend = try Backend(threads: 1, useGPU: false)
        let store = try WeightStore(WeightFiles(path: folder.path), on: backend)
        for name in ["f32", "bf16", "f16", "e4m3"] { #expect(try Self.read(store, name, [2, 2], backend) == [1, -2, 3, 4.5], "\(name)") }
        #expect(try Self.read(store, "e5m2", [2, 2], backend) == [1, -2, 3, 4])
        #expect(try Self.read(store, "vector", [2], backend) == [1, -2])
        #expect(try store.tensor("bf16", [2, 2]).type == .bf16)
        #expect(try store.tensor("e4m3", [2, 2]).type == .bf16)
    }

    @Test(arguments: [1, 4], [true, false]) func shardsLoadInParallelWithProgress(threads: Int, maps: Bool) throws {
        let folder = try Folder()
        let values = (0..<4).map { shard in (0..<64 * 8).map { Float(shard * 1000 + $0) } }
        for shard in 0..<4 { try folder.write("part-\(shard).safetensors", [("w\(shard)", "F32", [8, 64], Self.bytes(values[shard]))]) }
        let map = (0..<4).map { "\"w\($0)\":\"part-\($0).safetensors\"" }.joined(separator: ",")
        try folder.write("model.safetensors.index.json", text: "{\"weight_map\":{\(map)}}")
        let backend = try Backend(threads: 1, useGPU: false)
        var options = WeightOptions()
        (options.threads, options.maps) = (threads, maps)
        let last = Counter()
        let store = try WeightStore(WeightFiles(path: folder.path), on: backend, options: options) { done, total in
            last.change { $0 = max($0, done * 1000 / total) }
        }
        for shard in 0..<4 { #expect(try Self.read(store, "w\(shard)", [64, 8], backend) == values[shard]) }
        #expect(last.value == 1000)
        #expect(store.mappedBytes == (maps ? store.byteCount : 0))
    }

    @Test(arguments: [ElementType.q8_0, .q4_0, .bf16]) func matricesAreQuantizedAtLoad(type: ElementType) throws {
        let folder = try Folder()
        let values = (0..<32 * 6).map { sinf(Float($0)) }
        try folder.write(
            "model.safetensors",
            [
                ("w", "F32", [6, 32], Self.bytes(values)), ("odd", "F32", [6, 5], Self.bytes(Array(values[..<30]))),
                ("keep", "F32", [6, 32], Self.bytes(values)),
            ])
        let backend = try Backend(threads: 1, useGPU: false)
        var options = WeightOptions()
        options.quantization = type
        options.keep = { $0 == "keep" }
        let store = try WeightStore(WeightFiles(path: folder.path), on: backend, options: options)
        #expect(try store.tensor("w", [32, 6]).type == type)
        #expect(try store.tensor("keep", [32, 6]).type == .f32)
        #expect(try store.tensor("odd", [5, 6]).type == (type == .bf16 ? .bf16 : .f32))
        #expect(zip(try Self.read(store, "w", [32, 6], backend), values).allSatisfy { abs($0 - $1) < 0.15 })
    }

    @Test func outputsAreReordered() throws {
        let folder = try Folder()
        try folder.write(
            "model.safetensors", [("w", "F32", [3, 2], Self.bytes([1, 2, 3, 4, 5, 6])), ("v", "F32", [3], Self.bytes([1, 2, 3]))])
        let backend = try Backend(threads: 1, useGPU: false)
        var options = WeightOptions()
        options.order = { _, count in Array((0..<count).reversed()) }
        let store = try WeightStore(WeightFiles(path: folder.path), on: backend, options: options)
        #expect(try Self.read(store, "w", [2, 3], backend) == [5, 6, 3, 4, 1, 2])
        #expect(try Self.read(store, "v", [3], backend) == [3, 2, 1])
    }

    @Test func brokenFilesAreNamedBeforeLoading() throws {
        let folder = try Folder()
        func reason() -> String {
            do {
                _ = try WeightFiles(path: folder.path)
                return "no error"
            } catch { return "\(error)" }
        }
        try folder.write("model.safetensors", [("w", "F32", [2, 2], Self.bytes([1, 2, 3, 4]))], cut: 3)
        #expect(reason().contains("model.safetensors: tensor w ends at byte") && reason().contains("cut short"))
        try folder.write("model.safetensors", [("w", "F32", [2, 3], Self.bytes([1, 2, 3, 4]))])
        #expect(reason().contains("takes 24 bytes"))
        try folder.write("model.safetensors", [("w", "C64", [1], Self.bytes([1, 2]))])
        #expect(reason().contains("element type C64"))
        try folder.write("model.safetensors", [("w", "F32", [1 << 40, 1 << 40], [])])
        #expect(reason().contains("shape"))
        // Numbers at the edge: bytes that wrap round to 0, and an end that passes the largest number with the header added.
        for shape in [[1 << 62], [1 << 61], [1 << 62, 4], [Int.max], [Int.max, Int.max]] {
            try folder.write("model.safetensors", header: #"{"w":{"dtype":"F32","shape":\#(shape),"data_offsets":[0,0]}}"#)
            #expect(reason().contains("tensor w"), "\(shape)")
        }
        try folder.write("model.safetensors", header: #"{"w":{"dtype":"U8","shape":[4],"data_offsets":[\#(Int.max - 4),\#(Int.max)]}}"#)
        #expect(reason().contains("cut short"))
        try folder.write("model.safetensors", text: "short")
        #expect(reason().contains("too short"))
        try folder.write("model.safetensors", text: "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}{}")
        #expect(reason().contains("claims a header"))
        try folder.write("model.safetensors", text: "\u{2}\0\0\0\0\0\0\0[]")
        #expect(reason().contains("broken header"))
        try folder.write("model.safetensors.index.json", text: "{\"weight_map\":{\"w\":\"gone.safetensors\"}}")
        #expect(reason().contains("gone.safetensors: cannot be opened"))
        try folder.write("model.safetensors.index.json", text: "{\"weight_map\":{\"w\":\"../x.safetensors\"}}")
        #expect(reason().contains("lies elsewhere"))
        try folder.write("here.safetensors", [("v", "F32", [1], Self.bytes([1]))])
        try folder.write("model.safetensors.index.json", text: "{\"weight_map\":{\"w\":\"here.safetensors\"}}")
        #expect(reason().contains("tensor w is not in it"))
    }

    @Test func missingTensorsAndOtherShapesAreNamed() throws {
        let folder = try Folder()
        try folder.write(
            "model.safetensors",
            [("w", "F32", [2, 2], Self.bytes([1, 2, .nan, 4])), ("ids", "I64", [1], [UInt8](repeating: 0, count: 8))])
        let store = try WeightStore(WeightFiles(path: folder.path), on: Backend(threads: 1, useGPU: false))
        #expect(throws: TensorError.missing(tensor: "v", among: folder.path)) { try store.tensor("v", [2, 2]) }
        #expect(throws: TensorError.mismatch(tensor: "w", expected: "[3, 2]", found: "[2, 2]")) { try store.tensor("w", [3, 2]) }
        #expect(throws: TensorError.mismatch(tensor: "ids", expected: "floating point", found: "i64")) { try store.tensor("ids", [1]) }
        #expect(store.firstNotFinite() == "w")
    }

    /// Damaged files are refused, or their tensors lie within them; nothing traps.
    @Test func damagedHeadersNeverCrash() throws {
        let folder = try Folder()
        try folder.write(
            "whole.safetensors",
            [
                ("layers.0.weight", "F32", [2, 2], Self.bytes([1, 2, 3, 4])), ("b", "BF16", [3], Self.halves([1, 2, 3])),
                ("c", "F8_E4M3", [2, 1, 1, 1, 2], [1, 2, 3, 4]),
            ])
        let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder.path)/whole.safetensors")))
        let start = 8 + Int(whole[0]) + Int(whole[1]) << 8
        let numbers = whole[8..<start].split { !(0x30...0x39).contains($0) }
        let edges = ["0", "-1", "3", "\(Int.max)", "\(Int.max - 7)", "\(1 << 62)", "\(Int.min)", "1e30", "18446744073709551616"]
        let file = "\(folder.path)/damaged.safetensors"
        var random = SeededGenerator(seed: 5)
        for round in 0..<TestScale.cases(1000, full: 100_000) {
            var bytes = whole.damaged(in: 0..<whole.count, using: &random)
            // Every other time a number in the JSON becomes another one: random bytes seldom leave it readable.
            if round % 2 == 0 {
                let number = numbers[Int.random(in: 0..<numbers.count, using: &random)]
                let header =
                    whole[8..<number.startIndex] + Array(edges[Int.random(in: 0..<edges.count, using: &random)].utf8)
                    + whole[number.endIndex..<start]
                bytes = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + whole[start...]
            }
            try Data(bytes).write(to: URL(fileURLWithPath: file))
            guard let files = try? WeightFiles(path: file) else { continue }
            for entry in files.entries.values {
                #expect(entry.offset + entry.byteCount <= bytes.count && entry.shape.allSatisfy { $0 > 0 })
            }
        }
    }
}
