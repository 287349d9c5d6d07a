import Foundation
import OmniGGUF
import OmniSingleFiles
import OmniTensor
import OmniTokenizer

/// What a checkpoint is made of, as a diffusers folder names it. All headers are read when it is made: what is cut short is found before a
/// byte is loaded.
protocol CheckpointParts: Sendable {
    /// By component, under diffusers' names.
    var weights: [String: WeightFiles] { get }
    /// `transformer/config.json`, `model_index.json` …; nil where it is not there.
    func document(_ name: String) -> Data?
    /// The order that brings outputs of a tensor into diffusers'; nil where they have that.
    func order(_ component: String, _ name: String, _ outputs: Int) -> [Int]?
    /// The path to name where a document or a component is missing or broken.
    func place(_ name: String) -> String
    func tokenizer() throws -> Tokenizer
    /// The tokenizer's chat form.
    func chat() throws -> ChatML
}

/// A folder in the diffusers layout. Its components may be GGUFs, in their makers' names too.
struct FolderParts: CheckpointParts {
    let folder: String
    let weights: [String: WeightFiles]
    private let single: [String: SingleFile]

    init(_ folder: String) throws {
        self.folder = folder
        var (weights, single) = ([String: WeightFiles](), [String: SingleFile]())
        for component in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() {
            let place = "\(folder)/\(component)"
            let names = (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? []
            let (ggufs, others) = (
                names.filter { $0.hasSuffix(".gguf") },
                names.filter { $0.hasSuffix(".safetensors") || $0.hasSuffix(".safetensors.index.json") }
            )
            if others.isEmpty, ggufs.count == 1 {
                let file = try SingleFile.read("\(place)/\(ggufs[0])")[0]
                (weights[component], single[component]) = (file.weights, file)
            } else if !others.isEmpty || !ggufs.isEmpty {
                weights[component] = try WeightFiles(path: place)
            }
        }
        (self.weights, self.single) = (weights, single)
    }

    func document(_ name: String) -> Data? { FileManager.default.contents(atPath: place(name)) }
    func order(_ component: String, _ name: String, _ outputs: Int) -> [Int]? { single[component]?.order(name, outputs) }
    func place(_ name: String) -> String { "\(folder)/\(name)" }
    func tokenizer() throws -> Tokenizer { try Tokenizer(folder: place("tokenizer")) }
    func chat() throws -> ChatML { try ChatML(tokenizer: place("tokenizer")) }
}

/// Single files, each with one network.
struct SingleFileParts: CheckpointParts {
    private let files: SingleFileSet

    init(_ paths: ComponentPaths) throws { files = try SingleFileSet(paths) }

    var weights: [String: WeightFiles] { files.weights }

    func document(_ name: String) -> Data? {
        name == "omni.json" ? FileManager.default.contents(atPath: files.settings) : files.document(name)
    }

    func order(_ component: String, _ name: String, _ outputs: Int) -> [Int]? { files.order(component, name, outputs) }

    func place(_ name: String) -> String {
        let paths = files.paths
        switch name.split(separator: "/").first ?? "" {
        case "text_encoder": return paths.textEncoder
        case "vae": return paths.vae
        case "tokenizer": return paths.tokenizer ?? paths.textEncoder
        case "transformer_2": return paths.lowNoise ?? paths.transformer
        default: return paths.transformer
        }
    }

    func tokenizer() throws -> Tokenizer {
        guard let path = files.paths.tokenizer else { return try embedded(files.paths.textEncoder) }
        let tokenizer = try Tokenizer(path: path)
        // Embeddings have a few rows more than there are tokens; another model's tokenizer would make other words of a prompt.
        guard (files.vocabulary / 2...files.vocabulary).contains(tokenizer.count) else {
            throw DiffusionError.checkpoint(
                path: path, reason: "has \(tokenizer.count) tokens, and the text encoder \(files.vocabulary): it is another model's")
        }
        return tokenizer
    }

    /// That in the metadata of a GGUF.
    private func embedded(_ path: String) throws -> Tokenizer {
        guard path.hasSuffix(".gguf") else {
            throw DiffusionError.checkpoint(path: path, reason: "has no tokenizer in it, and none was named")
        }
        let key = "tokenizer.ggml"
        let lists = ["tokens", "token_type", "merges", "scores", "precompiled_charsmap"].map { "\(key).\($0)" }
        let header = try GGUFHeader(readingFrom: URL(fileURLWithPath: path), arrays: Set(lists))
        var vocabulary = EmbeddedVocabulary(
            model: header.string("\(key).model") ?? "none", rules: header.string("\(key).pre"), tokens: header.strings(lists[0]) ?? [],
            kinds: header.integers(lists[1])?.map(Int.init) ?? [])
        vocabulary.merges = header.strings(lists[2]) ?? []
        vocabulary.scores = header.numbers(lists[3]) ?? []
        vocabulary.replacements = header.integers(lists[4])?.map { UInt8(truncatingIfNeeded: $0) } ?? []
        vocabulary.end = header.integer("\(key).eos_token_id")
        return try Tokenizer(vocabulary, path: path)
    }

    /// Beside a `tokenizer.json` alone nothing says what the form is: it is that of the text encoder, which was told by its tensors.
    func chat() throws -> ChatML {
        guard files.paths.tokenizer == nil,
            let template = try GGUFHeader(readingFrom: URL(fileURLWithPath: files.paths.textEncoder)).string("tokenizer.chat_template")
        else { return ChatML() }
        return try ChatML(template: template, path: files.paths.textEncoder)
    }
}
