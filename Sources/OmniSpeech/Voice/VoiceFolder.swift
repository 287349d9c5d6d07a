import Foundation
import OmniAPI

/// The families of voices that sherpa-onnx speaks.
public enum VoiceFamily: String, Sendable, CaseIterable {
    case piper, kokoro, kitten, matcha, zipvoice, pocket, supertonic
}

/// A folder with the files of one voice model, recognised by what is in it.
struct VoiceFolder {
    let path: String
    let family: VoiceFamily
    /// Paths by the role that sherpa's configuration gives them.
    private(set) var files: [String: String] = [:]

    /// Throws ``APIError`` 404 when the folder does not exist, else 500 naming what is missing.
    init(path: String) throws {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw APIError(.notFound, "There is no voice at \(path).")
        }
        // A single file stands for the folder that it is in.
        let folder = isFolder.boolValue ? path : (path as NSString).deletingLastPathComponent
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
        self.path = folder
        guard let (family, roles) = Self.recognise(Listing(names: names)) else {
            throw APIError.unusableVoice(
                folder, "no family of voices has these files (\(names.prefix(12).joined(separator: ", "))); known are "
                    + VoiceFamily.allCases.map(\.rawValue).joined(separator: ", "))
        }
        self.family = family
        files = roles.mapValues { "\(folder)/\($0)" }
        if let configuration = files["model"].map({ $0 + ".json" }), FileManager.default.fileExists(atPath: configuration) {
            files["configuration"] = configuration
        }
    }

    func file(_ role: String) throws -> String {
        guard let file = files[role] else { throw APIError.unusableVoice(path, "its \(role) is missing") }
        return file
    }

    /// The names in a folder.
    private struct Listing {
        let names: [String]

        /// The first file that begins so and ends so.
        func first(_ prefix: String, _ suffix: String = ".onnx") -> String? {
            // Quantised files come first: they are smaller and faster.
            let matches = names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(suffix) }
            return matches.first { $0.contains("int8") } ?? matches.first
        }

        func has(_ name: String) -> String? { names.contains(name) ? name : nil }

        /// All roles, when every file was found.
        func roles(_ files: [String: String?], optional: [String: String?] = [:]) -> [String: String]? {
            let found = files.compactMapValues { $0 }
            guard found.count == files.count else { return nil }
            return found.merging(optional.compactMapValues { $0 }) { first, _ in first }
        }
    }

    private static func recognise(_ folder: Listing) -> (VoiceFamily, [String: String])? {
        let vocoder = folder.first("vocos") ?? folder.first("hifigan") ?? folder.first("vocoder")
        let lexicon = ["lexicon": folder.first("lexicon", ".txt")]
        if let roles = folder.roles([
            "lm_flow": folder.first("lm_flow"), "lm_main": folder.first("lm_main"), "encoder": folder.first("encoder"),
            "decoder": folder.first("decoder"), "text_conditioner": folder.first("text_conditioner"), "vocab_json": folder.has("vocab.json"),
            "token_scores_json": folder.has("token_scores.json"),
        ]) { return (.pocket, roles) }
        if let roles = folder.roles([
            "duration_predictor": folder.first("duration_predictor"), "text_encoder": folder.first("text_encoder"),
            "vector_estimator": folder.first("vector_estimator"), "vocoder": folder.first("vocoder"), "tts_json": folder.has("tts.json"),
            "unicode_indexer": folder.first("unicode_indexer", ".bin"), "voice_style": folder.has("voice.bin"),
        ]) { return (.supertonic, roles) }
        if let roles = folder.roles([
            "encoder": folder.first("encoder") ?? folder.first("text_encoder"), "decoder": folder.first("decoder") ?? folder.first("fm_decoder"),
            "vocoder": vocoder, "tokens": folder.has("tokens.txt"),
        ], optional: lexicon) { return (.zipvoice, roles) }
        let model = folder.first("model") ?? folder.first("")
        if let roles = folder.roles(["model": model, "voices": folder.has("voices.bin"), "tokens": folder.has("tokens.txt")], optional: lexicon) {
            // Kokoro and Kitten have the same files; the model's metadata tells which (VoiceChecks).
            return (model?.lowercased().contains("kitten") == true ? .kitten : .kokoro, roles)
        }
        if let roles = folder.roles(["acoustic_model": folder.first("model"), "vocoder": vocoder, "tokens": folder.has("tokens.txt")], optional: lexicon) {
            return (.matcha, roles)
        }
        if let configured = folder.names.first(where: { $0.hasSuffix(".onnx") && folder.has("\($0).json") != nil }) {
            return (.piper, ["model": configured])
        }
        if let roles = folder.roles(["model": model, "tokens": folder.has("tokens.txt")], optional: lexicon) { return (.piper, roles) }
        return nil
    }
}
