import Foundation
import OmniAPI
import OmniGGUF

/// Finds what goes with a transformer's file: by what other files hold, and by whether it fits.
public struct SingleFileSearch: Sendable {
    private let file: SingleFile
    private let pipeline: SingleFilePipeline

    /// - Throws: ``SingleFileError`` or `TensorError` for a file without a transformer that a pipeline is known for.
    public init(transformer path: String) throws {
        guard let file = try SingleFile.read(path).first(where: { $0.part == .transformer }), let pipeline = SingleFilePipeline.of(file)
        else {
            throw SingleFileError(path, "holds no transformer")
        }
        (self.file, self.pipeline) = (file, pipeline)
    }

    /// The family's name.
    public var name: String { file.name }
    /// Files on the Hub that complete it, a tokenizer among them.
    public var companions: [Companion] { pipeline.companions(file.config) }

    /// What was found of a pipeline.
    public struct Found: Sendable, Equatable {
        /// Files that fit, by part: `transformer_2`, `text_encoder`, `vae`, `tokenizer`.
        public var files: [String: [String]] = [:]
        /// Parts that are needed and were not found.
        public var missing: [String] = []
    }

    /// Looks through the transformer's own file, which may hold all, and files at `paths`, and beside them for the tokenizer. What cannot
    /// be read, or is something else, is passed over.
    ///
    /// - Parameter named: files that were chosen already, by part; they are taken as they are.
    public func search(_ paths: [String], named: [String: String]) -> Found {
        var found = Found(files: named.mapValues { [$0] })
        for path in [file.path] + paths.filter({ $0 != file.path }) {
            for other in (try? SingleFile.read(path)) ?? [] where named[other.part.rawValue] == nil && fits(other) {
                found.files[other.part == .transformer ? "transformer_2" : other.part.rawValue, default: []].append(path)
            }
        }
        if let word = pipeline.vaeWord, let fitting = found.files["vae"], fitting.count > 1 {
            let own = fitting.filter { URL(fileURLWithPath: $0).lastPathComponent.lowercased().contains(word) }
            found.files["vae"] = own.isEmpty ? fitting : own
        }
        for part in ["text_encoder", "vae"] + (isHalf ? ["transformer_2"] : []) where found.files[part] == nil {
            found.missing.append(part)
        }
        guard found.files["tokenizer"] == nil, let encoders = found.files["text_encoder"], encoders.count == 1 else { return found }
        guard !Self.hasVocabulary(encoders[0]) else { return found }
        let folders = [encoders[0], file.path].map { URL(fileURLWithPath: $0).deletingLastPathComponent() }
        let places = folders.flatMap { [$0.appending(path: "tokenizer.json"), $0.appending(path: "tokenizer/tokenizer.json")] }.map(\.path)
        if let place = (places + paths.filter { $0.hasSuffix("tokenizer.json") }).first(where: FileManager.default.fileExists) {
            found.files["tokenizer"] = [place]
        } else {
            found.missing.append("tokenizer")
        }
        return found
    }

    /// The files put in their places; nil where something is missing or stands there twice.
    public func paths(_ found: Found) -> ComponentPaths? {
        guard found.missing.isEmpty, found.files.values.allSatisfy({ $0.count == 1 }), let text = found.files["text_encoder"]?.first,
            let vae = found.files["vae"]?.first
        else { return nil }
        let (second, tokenizer) = (found.files["transformer_2"]?.first, found.files["tokenizer"]?.first)
        let isLow = ["low-noise", "lownoise"].contains(where: circumstances(file).names)
        let (high, low) = isLow ? (second ?? file.path, second.map { _ in file.path }) : (file.path, second)
        return ComponentPaths(transformer: high, lowNoise: low, textEncoder: text, vae: vae, tokenizer: tokenizer)
    }

    /// In words, for a part that is missing.
    public func description(of part: String) -> String {
        switch part {
        case "text_encoder": "a text encoder (\(pipeline.textEncoder), \(pipeline.textWidth(file.config) ?? 0) features)"
        case "vae": "a VAE (\(pipeline.vae), \(pipeline.latentChannels(file.config) ?? 0) latent channels)"
        case "tokenizer": "a tokenizer.json beside the text encoder, which has none in it"
        default: "the other expert, whose name has high_noise for low_noise or the reverse"
        }
    }

    private var isHalf: Bool { circumstances(file).isHalf }

    private func circumstances(_ file: SingleFile) -> Circumstances { Circumstances(file, config: file.config, hasSecond: false) }

    private func fits(_ other: SingleFile) -> Bool {
        switch other.part {
        case .textEncoder:
            let width = other.config["hidden_size"] ?? other.config["d_model"]
            return other.name == pipeline.textEncoder && width?.intValue == pipeline.textWidth(file.config)
        case .vae:
            let latents = other.config["latent_channels"] ?? other.config["z_dim"]
            // Stable Diffusion 3's has the shapes of FLUX.1's, and other latents.
            return other.name == pipeline.vae && latents?.intValue == pipeline.latentChannels(file.config)
                && !circumstances(other).names("sd3")
        case .transformer:
            let (own, its) = (circumstances(file).name, circumstances(other).name)
            return isHalf && other.name == file.name && own != its && Self.withoutNoise(own) == Self.withoutNoise(its)
        }
    }

    /// Whether files are the two experts of one model, by their names.
    public static func arePair(_ names: [String]) -> Bool {
        let plain = names.map { withoutNoise($0.lowercased().replacing("_", with: "-")) }
        return names.count == 2 && names[0] != names[1] && plain[0] == plain[1]
    }

    private static func withoutNoise(_ name: String) -> String {
        ["high-noise", "low-noise", "highnoise", "lownoise"].reduce(name) { $0.replacing($1, with: "noise") }
    }

    private static func hasVocabulary(_ path: String) -> Bool {
        path.hasSuffix(".gguf") && (try? GGUFHeader(readingFrom: URL(fileURLWithPath: path)))?.metadata["tokenizer.ggml.tokens"] != nil
    }
}
