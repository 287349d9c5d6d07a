import Foundation

/// A byte pair tokenizer published as `vocab.json`, `merges.txt` and `tokenizer_config.json`, without a `tokenizer.json`: the
/// form of Qwen2's own tokenizer. What the three files leave open is fixed by its class.
struct VocabularyFiles {
    private let folder: String

    /// Nil where `folder` has no `vocab.json`.
    init?(folder: String) {
        guard FileManager.default.fileExists(atPath: "\(folder)/vocab.json") else { return nil }
        self.folder = folder
    }

    private struct Settings: Decodable {
        struct Added: Decodable {
            let content: String
            let normalized, special, single_word, lstrip, rstrip: Bool?
        }

        let tokenizer_class: String?
        let added_tokens_decoder: [String: Added]?
    }

    /// What a `tokenizer.json` would say.
    func file() throws -> TokenizerFile {
        let settings = try decode(Settings.self, "tokenizer_config.json")
        let kind = settings.tokenizer_class ?? ""
        guard ["Qwen2Tokenizer", "Qwen2TokenizerFast"].contains(kind) else {
            throw TokenizerError(
                path: "\(folder)/tokenizer_config.json", reason: "names the class \(kind), which cannot be read without a tokenizer.json")
        }
        let model = TokenizerFile.Model(vocab: try decode([String: Int].self, "vocab.json"), merges: try merges())
        return TokenizerFile(
            added_tokens: try added(settings), normalizer: try .read(Self.form), pre_tokenizer: try .read(Self.words), post_processor: nil,
            model: model)
    }

    /// How Qwen2 normalizes texts.
    static let form = #"{"type": "NFC"}"#

    /// Qwen2's words: digits stand alone.
    static let words = #"""
        {"type": "Sequence", "pretokenizers": [
          {"type": "Split", "behavior": "Isolated", "invert": false, "pattern": {"Regex":
           "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
          {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]}
        """#

    /// A pair on each line, the first learnt first.
    private func merges() throws -> [TokenizerFile.Merge] {
        let path = "\(folder)/merges.txt"
        guard let data = FileManager.default.contents(atPath: path) else { throw TokenizerError(path: path, reason: "cannot be read") }
        return try data.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let text = String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
            return text.hasPrefix("#version") || text.isEmpty ? nil : try TokenizerFile.Merge(line: text, of: path)
        }
    }

    /// Older checkpoints have `added_tokens.json` instead of a list in the settings.
    private func added(_ settings: Settings) throws -> [TokenizerFile.Added] {
        if let listed = settings.added_tokens_decoder {
            return try listed.map { id, token in
                guard let id = Int(id) else {
                    throw TokenizerError(path: "\(folder)/tokenizer_config.json", reason: "adds \(token.content) under the id \(id)")
                }
                return TokenizerFile.Added(
                    id: id, content: token.content, normalized: token.normalized ?? false, special: token.special ?? false,
                    single_word: token.single_word,
                    lstrip: token.lstrip, rstrip: token.rstrip)
            }.sorted { $0.id < $1.id }
        }
        guard FileManager.default.fileExists(atPath: "\(folder)/added_tokens.json") else { return [] }
        return try decode([String: Int].self, "added_tokens.json").map {
            TokenizerFile.Added(id: $1, content: $0, normalized: false, special: true, single_word: nil, lstrip: nil, rstrip: nil)
        }.sorted { $0.id < $1.id }
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
        let path = "\(folder)/\(name)"
        guard let data = FileManager.default.contents(atPath: path) else { throw TokenizerError(path: path, reason: "cannot be read") }
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch {
            throw TokenizerError(path: path, reason: "is broken: \(error)")
        }
    }
}
