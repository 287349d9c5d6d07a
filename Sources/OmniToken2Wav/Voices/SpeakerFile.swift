import Foundation
import OmniTensor

/// The voices of a checkpoint: `spk_dict.safetensors` where there is one, else `spk_dict.pt` as published.
///
/// The former holds `NAME.cond` `[1, width]` and `NAME.ref_mel` `[1, frames, bands]`, f32, and `NAME.bos_token`, one whole number, for each
/// voice.
struct SpeakerFile {
    struct Speaker: Equatable {
        let name: String
        let beginToken: Int
        /// The voice's own embedding.
        let condition: [Float]
        /// A sample's spectrogram, `[bands, frames]`.
        let sample: [Float]
        let frames: Int
    }

    /// Sorted by name.
    let speakers: [Speaker]

    static let names = ["spk_dict.safetensors", "spk_dict.pt"]

    static func path(in folder: String) -> String? {
        names.map { "\(folder)/\($0)" }.first { FileManager.default.fileExists(atPath: $0) }
    }

    /// - Throws: ``Token2WavError/checkpoint(path:reason:)`` or ``TensorError``, which name the file.
    init(folder: String, width: Int, bands: Int) throws {
        guard let path = Self.path(in: folder) else {
            throw Token2WavError.checkpoint(path: "\(folder)/spk_dict.pt", reason: "is missing: the model has no voices")
        }
        do {
            let tensors = path.hasSuffix(".pt") ? try Self.torch(path) : try Self.safetensors(path)
            guard !tensors.isEmpty else { throw TorchFileError("holds no voices") }
            speakers = try tensors.sorted { $0.key < $1.key }.map { name, parts in try Self.speaker(name, parts, width, bands) }
        } catch let error as TorchFileError {
            throw Token2WavError.checkpoint(path: path, reason: error.reason)
        }
    }

    /// What a file holds of one voice.
    struct Parts {
        var begin: Int?
        var tensors: [String: (shape: [Int], values: [Float])] = [:]
    }

    private static func speaker(_ name: String, _ parts: Parts, _ width: Int, _ bands: Int) throws -> Speaker {
        guard let begin = parts.begin, (0...Int(Int32.max)).contains(begin) else { throw TorchFileError("has no bos_token for \(name)") }
        guard let condition = parts.tensors["cond"], condition.shape == [1, width] else {
            throw TorchFileError("has no cond of [1, \(width)] for \(name)")
        }
        guard let sample = parts.tensors["ref_mel"], sample.shape.count == 3, sample.shape[0] == 1, sample.shape[1] > 0,
            sample.shape[2] == bands
        else { throw TorchFileError("has no ref_mel of [1, frames, \(bands)] for \(name)") }
        guard (condition.values + sample.values).allSatisfy(\.isFinite) else {
            throw TorchFileError("holds values for \(name) that are infinite or no numbers")
        }
        return Speaker(name: name, beginToken: begin, condition: condition.values, sample: sample.values, frames: sample.shape[1])
    }

    // MARK: torch

    private static func torch(_ path: String) throws -> [String: Parts] {
        guard let data = FileManager.default.contents(atPath: path) else { throw TorchFileError("cannot be read") }
        return try torch([UInt8](data))
    }

    static func torch(_ bytes: [UInt8]) throws -> [String: Parts] {
        let archive = try TorchArchive(bytes)
        var pickle = try Unpickler(archive("data.pkl"))
        guard case .dictionary(let number) = try pickle.run() else { throw TorchFileError("holds no dictionary of voices") }
        return try pickle.dictionaries[number].mapValues { value in
            guard case .dictionary(let number) = value else { throw TorchFileError("holds a voice that is no dictionary") }
            var parts = Parts()
            for (key, value) in pickle.dictionaries[number] {
                switch value {
                case .int(let number) where key == "bos_token": parts.begin = number
                case .tensor(let tensor): parts.tensors[key] = (tensor.shape, try values(tensor, archive))
                default: throw TorchFileError("holds \(key), which is neither a tensor nor bos_token")
                }
            }
            return parts
        }
    }

    private static func values(_ tensor: Unpickler.TorchTensor, _ archive: TorchArchive) throws -> [Float] {
        let bytes = try archive("data/" + tensor.storage)
        // Sizes and strides are at most 2^30, four of them: the last element's place is a number of ours where the offset is small.
        let reach = zip(tensor.shape, tensor.strides).reduce(0) { $0 + max(0, $1.0 - 1) * $1.1 }
        let count = tensor.shape.reduce(1) { $0 > bytes.count ? $0 : $0 * $1 }
        guard count > 0, count <= bytes.count / 4, (0..<bytes.count).contains(tensor.offset), tensor.stored == bytes.count / 4,
            tensor.offset + reach < tensor.stored
        else { throw TorchFileError("has a tensor of \(tensor.shape) that ends behind its \(bytes.count) bytes") }
        return bytes.withUnsafeBytes { raw in
            (0..<count).map { index in
                var (rest, place) = (index, tensor.offset)
                for axis in tensor.shape.indices.reversed() {
                    place += rest % tensor.shape[axis] * tensor.strides[axis]
                    rest /= tensor.shape[axis]
                }
                return Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * place, as: UInt32.self)))
            }
        }
    }

    // MARK: safetensors

    private static func safetensors(_ path: String) throws -> [String: Parts] {
        var all: [String: Parts] = [:]
        for (name, entry) in try WeightFiles(path: path).entries {
            guard let dot = name.lastIndex(of: "."), dot > name.startIndex else {
                throw TorchFileError("has a tensor \(name) without a voice")
            }
            let (voice, key) = (String(name[..<dot]), String(name[name.index(after: dot)...]))
            switch key {
            case "bos_token": all[voice, default: Parts()].begin = try entry.wholeNumber()
            default: all[voice, default: Parts()].tensors[key] = (entry.shape.reversed(), try entry.values())
            }
        }
        return all
    }
}

extension WeightEntry {
    /// All values, as f32.
    fileprivate func values() throws -> [Float] {
        guard encoding == .native(.f32) || encoding == .native(.bf16) || encoding == .native(.f16) else {
            throw TorchFileError("has a tensor \(name) of \(encoding)")
        }
        let count = shape.reduce(1, *)
        return try withBytes { bytes in
            [Float](unsafeUninitializedCapacity: count) { target, filled in
                if let from = bytes.baseAddress, let to = target.baseAddress { encoding.decode(from, count, into: to) }
                filled = count
            }
        }
    }

    fileprivate func wholeNumber() throws -> Int {
        guard shape.reduce(1, *) == 1 else { throw TorchFileError("has a \(name) of \(shape)") }
        return try withBytes { bytes in
            switch encoding {
            case .native(.i64): Int(bytes.loadUnaligned(as: Int64.self))
            case .native(.i32): Int(bytes.loadUnaligned(as: Int32.self))
            default: throw TorchFileError("has a \(name) of \(encoding)")
            }
        }
    }

    private func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        try bytes.withUnsafeMutableBytes { try file.read(at: offset, into: $0) }
        return try bytes.withUnsafeBytes(body)
    }
}
