import Foundation
import OmniAPI

/// A voice whose files were checked and completed, ready for sherpa-onnx.
struct PreparedVoice {
    var family: VoiceFamily
    /// Paths by role, completed copies included.
    var files: [String: String]
    /// espeak-ng's voice; nil for models that read text themselves.
    var espeakVoice: String?
    /// nil for models that read text themselves.
    var symbols: SymbolTable?
    /// Names of the speakers, where the model has them.
    var speakers: [String] = []
    var noiseScale: Float?
    var noiseScaleW: Float?
    var lengthScale: Float = 1
    /// A folder with completed copies, to be deleted once the model is loaded.
    var scratch: String?

    /// Checks every file, and completes those that lack what sherpa-onnx needs. Throws ``APIError`` with the reason.
    init(_ folder: VoiceFolder, scratch: String) throws {
        family = folder.family
        files = folder.files
        var models: [String: ONNXFile] = [:]
        for (role, path) in files where path.hasSuffix(".onnx") { models[role] = try ONNXFile(path: path) }
        switch family {
        case .piper: try preparePiper(models, scratch: scratch)
        case .kokoro, .kitten: try prepareKokoro(models)
        case .matcha: try prepareMatcha(models)
        case .zipvoice:
            espeakVoice = "en-us"
            symbols = try SymbolTable(path: folder.file("tokens"), singleScalars: false)
        case .supertonic: try checkSupertonic(folder.file("tts_json"))
        case .pocket: for role in ["vocab_json", "token_scores_json"] { try Self.checkJSON(folder.file(role)) }
        }
    }

    private mutating func preparePiper(_ models: [String: ONNXFile], scratch: String) throws {
        guard let model = models["model"] else { return }
        try model.require(inputs: ["input", "input_lengths", "scales"])
        if let path = files["configuration"] {
            let configuration = try PiperConfiguration(path: path)
            espeakVoice = configuration.espeakVoice
            speakers = configuration.speakers
            (noiseScale, noiseScaleW) = (configuration.noiseScale, configuration.noiseScaleW)
            lengthScale = configuration.lengthScale
            try complete(model, with: configuration, scratch: scratch)
        } else {
            try model.require(metadata: ["sample_rate", "n_speakers", "language", "comment"])
            espeakVoice = model.metadata["voice"].flatMap { $0.isEmpty ? nil : $0 } ?? "en-us"
        }
        symbols = try files["tokens"].map { try SymbolTable(path: $0, singleScalars: true) }
    }

    private mutating func complete(_ model: ONNXFile, with configuration: PiperConfiguration, scratch: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
            self.scratch = scratch
            try Data(configuration.tokenTable.utf8).write(to: URL(fileURLWithPath: "\(scratch)/tokens.txt"))
            files["tokens"] = "\(scratch)/tokens.txt"
            let missing = configuration.metadata.filter { model.metadata[$0.key] == nil }
            guard !missing.isEmpty else { return }
            try model.writeCopy(to: "\(scratch)/model.onnx", adding: missing)
            files["model"] = "\(scratch)/model.onnx"
        } catch {
            try? FileManager.default.removeItem(atPath: scratch)
            throw APIError(.insufficientStorage, "A completed copy of \(model.path) could not be written to \(scratch): \(error.localizedDescription).")
        }
    }

    private mutating func prepareKokoro(_ models: [String: ONNXFile]) throws {
        guard let model = models["model"] else { return }
        if model.metadata["model_type"]?.contains("kitten") == true { family = .kitten }
        try model.require(metadata: ["sample_rate", "n_speakers", "has_espeak", "style_dim"] + (family == .kitten ? ["model_type"] : []))
        if family == .kitten, model.metadata["has_espeak"] != "1" { throw APIError.unusableVoice(model.path, "its metadata says has_espeak ≠ 1") }
        let style = (model.metadata["style_dim"] ?? "").split(separator: ",").compactMap { Int($0) }
        guard style.count == (family == .kitten ? 2 : 3), style.allSatisfy({ $0 > 0 }), family == .kitten || style[1] == 1 else {
            throw APIError.unusableVoice(model.path, "its style_dim is “\(model.metadata["style_dim"] ?? "")”")
        }
        try checkStyles(count: model.metadata["n_speakers"].flatMap { Int($0) }, style)
        symbols = try files["tokens"].map { try SymbolTable(path: $0, singleScalars: true) }
        espeakVoice = model.metadata["voice"].flatMap { $0.isEmpty ? nil : $0 } ?? "en-us"
        speakers = (model.metadata["speaker_names"] ?? "").split(separator: ",").map(String.init)
    }

    /// `voices.bin` holds one float32 array per speaker.
    private func checkStyles(count: Int?, _ style: [Int]) throws {
        guard let path = files["voices"] else { return }
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        let expected = style.reduce(count ?? 1, *) * MemoryLayout<Float>.size
        guard size == expected else { throw APIError.unusableVoice(path, "it has \(size) bytes; \(count ?? 1) speakers need \(expected)") }
    }

    private mutating func prepareMatcha(_ models: [String: ONNXFile]) throws {
        guard let model = models["acoustic_model"] else { return }
        try model.require(metadata: ["sample_rate", "n_speakers", "use_eos_bos", "pad_id"])
        let usesPhonemes = model.metadata["has_espeak"] == "1"
        symbols = try files["tokens"].map { try SymbolTable(path: $0, singleScalars: usesPhonemes) }
        espeakVoice = usesPhonemes ? model.metadata["voice"].flatMap { $0.isEmpty ? nil : $0 } ?? "en-us" : nil
        if !usesPhonemes, files["lexicon"] == nil { throw APIError.unusableVoice(model.path, "it takes neither phonemes nor a lexicon") }
    }

    private func checkSupertonic(_ path: String) throws {
        let json = try Self.checkJSON(path)
        for (section, key) in [("ae", "sample_rate"), ("ae", "base_chunk_size"), ("ttl", "chunk_compress_factor"), ("ttl", "latent_dim")] {
            guard let number = json[section]?[key]?.intValue, number > 0 else { throw APIError.unusableVoice(path, "\(section).\(key) is missing") }
        }
    }

    @discardableResult
    private static func checkJSON(_ path: String) throws -> JSONValue {
        do {
            return try JSONValue.parse([UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
        } catch {
            throw APIError.unusableVoice(path, "it is not readable as JSON (\(error))")
        }
    }
}

extension ONNXFile {
    fileprivate func require(metadata keys: [String]) throws {
        let missing = keys.filter { metadata[$0] == nil }
        guard missing.isEmpty else { throw APIError.unusableVoice(path, "its metadata lacks \(missing.joined(separator: ", "))") }
    }

    fileprivate func require(inputs names: [String]) throws {
        let missing = names.filter { !inputs.contains($0) }
        guard missing.isEmpty else { throw APIError.unusableVoice(path, "it is no Piper model: it has no input \(missing.joined(separator: ", "))") }
    }
}
