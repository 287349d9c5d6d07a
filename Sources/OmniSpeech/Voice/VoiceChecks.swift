import Foundation
import OmniAPI
import OmniEngine

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

    /// Several utterances may be spoken at a time: sherpa-onnx is handed phonemes, and carries no state from step to step.
    var isSpokenSideBySide: Bool { espeakVoice != nil }
    /// Of all models.
    var byteCount: Int {
        files.values.filter { $0.hasSuffix(".onnx") }.reduce(0) {
            $0 + ((try? FileManager.default.attributesOfItem(atPath: $1)[.size] as? Int) ?? 0)
        }
    }

    /// Whether a Piper voice's transposed convolutions are replaced.
    private let rewritesUpsampling: Bool

    /// Checks every file, and completes those that lack what sherpa-onnx needs. Throws ``APIError`` with the reason.
    init(_ folder: VoiceFolder, scratch: String, rewritesUpsampling: Bool = true) throws {
        self.rewritesUpsampling = rewritesUpsampling
        family = folder.family
        files = folder.files
        var models: [String: ONNXFile] = [:]
        for (role, path) in files where path.hasSuffix(".onnx") { models[role] = try ONNXFile(path: path) }
        switch family {
        case .piper: try preparePiper(models, scratch: scratch)
        case .kokoro, .kitten: try prepareKokoro(models)
        case .matcha: try prepareMatcha(models)
        case .zipvoice:
            // sherpa-onnx 2 takes no phonemes for ZipVoice: both the text and the sample's go through the lexicon.
            symbols = try SymbolTable(path: file("tokens"), singleScalars: false)
            _ = try file("lexicon")
            try models["vocoder"]?.requireVocoder()
        case .supertonic:
            try checkSupertonic(file("tts_json"))
            try checkStyle(file("voice_style"))
            try checkIndexer(file("unicode_indexer"))
        case .pocket: try checkPieces(file("vocab_json"), scores: file("token_scores_json"))
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
            try model.require(metadata: ["language", "comment"], numbers: ["sample_rate", "n_speakers"])
            let usesPhonemes = model.metadata["has_espeak"] == "1" || model.metadata["comment"]?.contains("piper") == true
            espeakVoice = try usesPhonemes ? model.espeakVoice : lexiconOnly(model)
            try copy(model, scratch: scratch)
        }
        symbols = try table(["_", "^", "$"])
    }

    /// The table of a model that takes phonemes must have the symbols that sherpa-onnx looks up without a check.
    private func table(_ needed: [Unicode.Scalar]) throws -> SymbolTable? {
        guard let path = files["tokens"] else { return nil }
        let table = try SymbolTable(path: path, singleScalars: espeakVoice != nil)
        let missing = needed.filter { !table.contains($0) }
        guard espeakVoice == nil || missing.isEmpty else {
            throw APIError.unusableVoice(path, "it lacks the symbols “\(missing.map { String($0) }.joined(separator: "”, “"))”")
        }
        return table
    }

    /// A model without phonemes reads text through a lexicon.
    private func lexiconOnly(_ model: ONNXFile) throws -> String? {
        guard files["lexicon"] != nil else {
            throw APIError.unusableVoice(model.path, "it takes neither phonemes nor is a lexicon beside it")
        }
        return nil
    }

    private mutating func complete(_ model: ONNXFile, with configuration: PiperConfiguration, scratch: String) throws {
        let missing = configuration.metadata.filter { model.metadata[$0.key] == nil }
        try copy(model, adding: missing, tokens: configuration.tokenTable, scratch: scratch)
    }

    /// Puts a copy with more metadata and faster upsampling in place of the model where there is something to change, and writes the
    /// table of symbols where none came with it.
    private mutating func copy(
        _ model: ONNXFile, adding metadata: [(key: String, text: String)] = [], tokens: String? = nil, scratch: String
    ) throws {
        let isChanged = !metadata.isEmpty || (rewritesUpsampling && model.upsamples)
        guard isChanged || tokens != nil else { return }
        do {
            try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
            self.scratch = scratch
            if let tokens {
                try Data(tokens.utf8).write(to: URL(fileURLWithPath: "\(scratch)/tokens.txt"))
                files["tokens"] = "\(scratch)/tokens.txt"
            }
            guard isChanged else { return }
            try model.writeCopy(to: "\(scratch)/model.onnx", adding: metadata, upsampling: rewritesUpsampling)
            files["model"] = "\(scratch)/model.onnx"
        } catch {
            try? FileManager.default.removeItem(atPath: scratch)
            if let fault = error as? ProtobufReader.Malformed { throw APIError.unusableVoice(model.path, fault.reason) }
            throw APIError(
                .insufficientStorage, "A completed copy of \(model.path) could not be written to \(scratch): \(error.localizedDescription)."
            )
        }
    }

    private mutating func prepareKokoro(_ models: [String: ONNXFile]) throws {
        guard let model = models["model"] else { return }
        if model.metadata["model_type"]?.contains("kitten") == true { family = .kitten }
        try model.require(metadata: ["style_dim"], numbers: ["sample_rate", "n_speakers", "has_espeak"])
        if family == .kitten, model.metadata["model_type"] != "kitten-tts" {
            throw APIError.unusableVoice(model.path, "its model_type is not kitten-tts")
        }
        if family == .kitten, model.metadata["has_espeak"] != "1" {
            throw APIError.unusableVoice(model.path, "its metadata says has_espeak ≠ 1")
        }
        let style = (model.metadata["style_dim"] ?? "").split(separator: ",").compactMap { Int($0) }
        guard style.count == (family == .kitten ? 2 : 3), style.allSatisfy({ $0 > 0 }), family == .kitten || style[1] == 1 else {
            throw APIError.unusableVoice(model.path, "its style_dim is “\(model.metadata["style_dim"] ?? "")”")
        }
        try checkStyles(count: model.metadata["n_speakers"].flatMap { Int($0) }, style)
        espeakVoice = model.espeakVoice
        symbols = try table([" ", ","])
        speakers = (model.metadata["speaker_names"] ?? "").split(separator: ",").map(String.init)
    }

    /// The product of sizes that a file names; nil where it is no number of ours.
    private static func product(_ sizes: [Int]) -> Int? {
        sizes.reduce(1 as Int?) { product, size in
            guard let (next, overflow) = product?.multipliedReportingOverflow(by: size), !overflow else { return nil }
            return next
        }
    }

    /// `voices.bin` holds one float32 array per speaker.
    private func checkStyles(count: Int?, _ style: [Int]) throws {
        guard let path = files["voices"] else { return }
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        guard let expected = Self.product([count ?? 1, MemoryLayout<Float>.size] + style), size == expected else {
            throw APIError.unusableVoice(
                path,
                "it has \(size) bytes, which are not \(count ?? 1) speakers of \(style.map(String.init).joined(separator: "×")) floats")
        }
    }

    private mutating func prepareMatcha(_ models: [String: ONNXFile]) throws {
        guard let model = models["acoustic_model"] else { return }
        try model.require(metadata: [], numbers: ["sample_rate", "n_speakers", "use_eos_bos", "pad_id"])
        let usesPhonemes = model.metadata["has_espeak"] == "1" && model.metadata["voice"] != "zh en-us"
        espeakVoice = try usesPhonemes ? model.espeakVoice : lexiconOnly(model)
        symbols = try table(["^", "$"])
        try models["vocoder"]?.requireVocoder()
    }

    /// sherpa-onnx writes each piece of text to the place that its number names, and leaves out all that follows a letter which is
    /// neither a piece nor to be spelled in bytes.
    private func checkPieces(_ path: String, scores scoresPath: String) throws {
        guard case .object(let pieces) = try Self.checkJSON(path) else { throw APIError.unusableVoice(path, "it is no object of pieces") }
        let numbers = Set(pieces.members.compactMap { $0.value.intValue })
        guard numbers == Set(0..<pieces.count) else {
            throw APIError.unusableVoice(path, "its pieces are not numbered from 0 to \(pieces.count - 1)")
        }
        let hex = "0123456789ABCDEF"
        let bytes = hex.flatMap { high in hex.map { low in "<0x\(high)\(low)>" } }
        let known = Set(pieces.keys), missing = bytes.filter { !known.contains($0) }
        guard missing.isEmpty else {
            throw APIError.unusableVoice(path, "it lacks \(missing.count) of the pieces for single bytes, such as \(missing[0])")
        }
        guard case .object(let scores) = try Self.checkJSON(scoresPath), scores.members.allSatisfy({ $0.value.doubleValue != nil }) else {
            throw APIError.unusableVoice(scoresPath, "it is no object of numbers")
        }
    }

    private func checkSupertonic(_ path: String) throws {
        let json = try Self.checkJSON(path)
        for (section, key) in [("ae", "sample_rate"), ("ae", "base_chunk_size"), ("ttl", "chunk_compress_factor"), ("ttl", "latent_dim")] {
            guard let number = json[section]?[key]?.intValue, number > 0 else {
                throw APIError.unusableVoice(path, "\(section).\(key) is missing")
            }
        }
    }

    /// Six sizes of 64 bits, two arrays of three dimensions, then their floats and nothing else.
    private func checkStyle(_ path: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        guard data.count >= 48 else { throw APIError.unusableVoice(path, "it has \(data.count) bytes, less than its header") }
        let sizes = data.withUnsafeBytes { bytes in
            (0..<6).map { Int(Int64(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 8, as: Int64.self))) }
        }
        // Sizes of 2^16 at most: their products and the sum are far from the largest number.
        guard sizes.allSatisfy({ (1...(1 << 16)).contains($0) }),
            data.count == 48 + 4 * (sizes[..<3].reduce(1, *) + sizes[3...].reduce(1, *))
        else {
            throw APIError.unusableVoice(path, "its sizes \(sizes) do not fit its \(data.count) bytes")
        }
    }

    /// One 32-bit index per character.
    private func checkIndexer(_ path: String) throws {
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        guard size > 0, size % 4 == 0, path.hasSuffix(".bin") else {
            throw APIError.unusableVoice(path, "it is no list of 32-bit numbers in a .bin file")
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
    /// espeak-ng's voice, as the metadata names it.
    fileprivate var espeakVoice: String { metadata["voice"].flatMap { $0.isEmpty ? nil : $0 } ?? "en-us" }

    /// sherpa-onnx ends the process over entries that are missing, and over numbers that are none or below 0.
    fileprivate func require(metadata keys: [String], numbers: [String]) throws {
        let missing = (keys + numbers).filter { metadata[$0] == nil }
        guard missing.isEmpty else { throw APIError.unusableVoice(path, "its metadata lacks \(missing.joined(separator: ", "))") }
        for key in numbers {
            guard let number = metadata[key].flatMap({ Int32($0) }), number >= 0 else {
                throw APIError.unusableVoice(path, "its metadata says \(key) = “\(metadata[key] ?? "")”")
            }
        }
    }

    fileprivate func requireVocoder() throws {
        let type = metadata["model_type"] ?? ""
        guard ["hifigan", "vocos", "matcha-tts vocos"].contains(type) else {
            throw APIError.unusableVoice(path, "its metadata says model_type = “\(type)”, which is no vocoder")
        }
    }

    fileprivate func require(inputs names: [String]) throws {
        let missing = names.filter { !inputs.contains($0) }
        guard missing.isEmpty else {
            throw APIError.unusableVoice(path, "it is no Piper model: it has no input \(missing.joined(separator: ", "))")
        }
    }
}
