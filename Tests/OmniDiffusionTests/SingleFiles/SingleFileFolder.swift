import Foundation
import OmniEngine
import OmniSingleFiles
import OmniTestSupport
import Testing

@testable import OmniDiffusion
@testable import OmniTensor

/// A folder of single files that are made of a tiny diffusers checkpoint. It goes away with the test.
final class SingleFileFolder {
    let path = NSTemporaryDirectory() + "single-\(UUID().uuidString)"
    let source: String

    static let fixtures =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
        + "/Fixtures"

    /// - Parameter name: of the checkpoint, as `zimage/small`.
    init(of name: String) throws {
        source = "\(Self.fixtures)/\(name)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    // MARK: what the checkpoint has

    func tensors(_ component: String) throws -> StoredTensors {
        try WeightFiles(path: "\(source)/\(component)").entries.mapValues { entry in
            CheckpointCopy.Stored(
                type: entry.encoding == .native(.i64) ? "I64" : "F32", shape: entry.axes.reversed(),
                bytes: try entry.file.read(at: entry.offset, count: entry.byteCount))
        }
    }

    func config(_ file: String) throws -> [String: Any] {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(source)/\(file)"))
        return try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    /// Of the text model, with what newer files have in a part of its own.
    func textConfig() throws -> [String: Any] {
        let config = try config("text_encoder/config.json")
        var text = config["text_config"] as? [String: Any] ?? config
        text["rope_theta"] = text["rope_theta"] as? Double ?? (text["rope_parameters"] as? [String: Any])?["rope_theta"]
        return text
    }

    // MARK: files

    /// What no shape tells of so small a checkpoint, as a user would say it in `omni.json`.
    func say(_ keys: [String: [String]], index: [String: Any] = [:]) throws {
        var said: [String: Any] = ["scheduler": try config("scheduler/scheduler_config.json"), "model_index": index]
        for (component, keys) in keys where FileManager.default.fileExists(atPath: "\(source)/\(component)/config.json") {
            let config = component == "text_encoder" ? try textConfig() : try config("\(component)/config.json")
            said[component] = config.filter { keys.contains($0.key) }
        }
        let defaults = try? config("omni.json")
        let whole = (defaults ?? [:]).merging(["config": said]) { $1 }
        try JSONSerialization.data(withJSONObject: whole).write(to: URL(fileURLWithPath: "\(path)/omni.json"))
    }

    func write(_ name: String, _ tensors: StoredTensors, prefix: String = "") throws {
        try FileManager.default.createDirectory(
            atPath: URL(fileURLWithPath: "\(path)/\(name)").deletingLastPathComponent().path, withIntermediateDirectories: true)
        let named = Dictionary(uniqueKeysWithValues: tensors.map { (prefix + $0.key, $0.value) })
        try CheckpointCopy.write(named, "\(path)/\(name)")
    }

    /// As GGUF; matrices as `type` (f32 or q8_0) where rows of blocks fill them.
    func writeGGUF(
        _ name: String, _ tensors: StoredTensors, architecture: String?, _ metadata: [(String, GGUFBuilder.Value)] = [],
        prefix: String = "",
        type: ElementType = .f32
    ) throws {
        var builder = GGUFBuilder(architecture: architecture, metadata)
        builder.whole = tensors.sorted { $0.key < $1.key }.map { name, tensor in
            let shape = tensor.shape.isEmpty ? [1] : Array(tensor.shape.reversed())
            let isMatrix = shape.count == 2 && shape[0] % 32 == 0 && type == .q8_0
            return .init(prefix + name, shape, type: isMatrix ? 8 : 0, isMatrix ? Self.eightBits(tensor.bytes) : tensor.bytes)
        }
        try builder.bytes.write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }

    /// Blocks of 32 values: a factor in f16, and each value over it as a whole number.
    static func eightBits(_ bytes: [UInt8]) -> [UInt8] {
        let values = bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        return stride(from: 0, to: values.count, by: 32).flatMap { start -> [UInt8] in
            let block = values[start..<start + 32]
            let factor = (block.map(abs).max() ?? 0) / 127
            let half = withUnsafeBytes(of: Float16(factor).bitPattern.littleEndian) { Array($0) }
            return half + block.map { UInt8(bitPattern: Int8(factor == 0 ? 0 : ($0 / factor).rounded())) }
        }
    }

    /// Matrices as `F8_E4M3` with a scale beside each, the nearest of the 253 numbers that there are; norms and vectors stay.
    static func eightBitFloats(_ tensors: StoredTensors, scale: String, marker: Bool) -> StoredTensors {
        let numbers = (0..<256).map { byte -> Float in
            let (exponent, mantissa, sign) = (byte >> 3 & 15, byte & 7, byte < 128 ? Float(1) : -1)
            if byte & 127 == 127 { return .nan }
            return sign * (exponent == 0 ? Float(mantissa) / 512 : exp2f(Float(exponent - 7)) * (1 + Float(mantissa) / 8))
        }
        let positive = Array(numbers[..<127])
        var scaled = tensors
        for (name, tensor) in tensors where tensor.shape.count == 2 && name.hasSuffix(".weight") {
            let values = tensor.bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
            let factor = max((values.map(abs).max() ?? 0) / 448, 1e-12)
            let bytes = values.map { value -> UInt8 in
                let wanted = abs(value / factor)
                let above = positive.firstIndex { $0 >= wanted } ?? 126
                let place = above > 0 && wanted - positive[above - 1] < positive[above] - wanted ? above - 1 : above
                return UInt8(place) | (value < 0 ? 128 : 0)
            }
            let layer = name.dropLast(".weight".count)
            scaled[name] = .init(type: "F8_E4M3", shape: tensor.shape, bytes: bytes)
            scaled["\(layer).\(scale)"] = .init(type: "F32", shape: [], bytes: withUnsafeBytes(of: factor) { Array($0) })
            let form = Array(#"{"format": "float8_e4m3fn"}"#.utf8)
            if marker { scaled["\(layer).comfy_quant"] = .init(type: "U8", shape: [form.count], bytes: form) }
        }
        if !marker { scaled["scaled_fp8"] = .init(type: "F8_E4M3", shape: [0], bytes: []) }
        return scaled
    }

    func copy(_ file: String, as name: String) throws {
        try FileManager.default.createDirectory(
            atPath: URL(fileURLWithPath: "\(path)/\(name)").deletingLastPathComponent().path, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: "\(source)/\(file)", toPath: "\(path)/\(name)")
    }

    // MARK: pipelines

    /// The pipeline that is found around a transformer's file.
    func source(_ transformer: String) throws -> CheckpointSource {
        let search = try SingleFileSearch(transformer: "\(path)/\(transformer)")
        let files = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
        let weights = files.filter { [".gguf", ".safetensors", "tokenizer.json"].contains(where: $0.hasSuffix) }
        let found = search.search(weights.sorted().map { "\(path)/\($0)" }, named: [:])
        let paths = search.paths(found)
        return .files(try #require(paths, "\(found)"))
    }

    static func picture(_ source: CheckpointSource, _ request: ImageRequest, options: DiffusionOptions = DiffusionOptions()) throws
        -> [Float]
    {
        let backend = try Backend(threads: 2, useGPU: false)
        let family = try DiffusionFamilies.images(try Checkpoint(source, backend: backend, options: options) { _ in })
        return try Recording(family, family.plan(request, PlanningContext(backend: backend)), backend).frames.flatMap(\.values)
    }

    static func film(_ source: CheckpointSource, _ request: VideoRequest) throws -> [Float] {
        let backend = try Backend(threads: 2, useGPU: false)
        let family = try DiffusionFamilies.videos(try Checkpoint(source, backend: backend, options: DiffusionOptions()) { _ in })
        return try Recording(family, family.plan(request, PlanningContext(backend: backend)), backend).frames.flatMap(\.values)
    }
}
