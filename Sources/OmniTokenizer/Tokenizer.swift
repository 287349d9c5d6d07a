import Foundation

/// Text to token ids, as the `tokenizer.json` of Hugging Face's tokenizers says: added tokens are cut out first, the rest
/// is normalized, cut into words, and each word goes to the model.
public struct Tokenizer: Sendable {
    private let added: AddedTokens
    private let normalize: Normalizer
    private let words: PreTokenizer
    private let model: any TokenModel
    /// Ids that belong before and after a whole text.
    private let frame: (before: [Int], after: [Int])
    /// One more than the largest id.
    public let count: Int

    /// Reads `tokenizer.json` at `path`.
    ///
    /// - Throws: ``TokenizerError`` naming the part that is broken or that this reader does not know.
    public init(path: String) throws {
        guard let data = FileManager.default.contents(atPath: path) else { throw TokenizerError(path: path, reason: "cannot be read") }
        do {
            try self.init(file: JSONDecoder().decode(TokenizerFile.self, from: data))
        } catch let error as TokenizerError {
            throw TokenizerError(path: path, reason: error.reason)
        } catch {
            throw TokenizerError(path: path, reason: "is broken: \(error)")
        }
    }

    /// Reads the tokenizer in `folder`: `tokenizer.json`, or `vocab.json` and `merges.txt` where there is none.
    ///
    /// - Throws: ``TokenizerError`` naming the file at fault.
    public init(folder: String) throws {
        let path = "\(folder)/tokenizer.json"
        guard !FileManager.default.fileExists(atPath: path), let files = VocabularyFiles(folder: folder) else {
            try self.init(path: path)
            return
        }
        do {
            try self.init(file: files.file())
        } catch let error as TokenizerError where error.path.isEmpty {
            throw TokenizerError(path: folder, reason: error.reason)
        }
    }

    /// The tokenizer in the metadata of the GGUF at `path`.
    ///
    /// - Throws: ``TokenizerError`` for one that is broken or not known.
    public init(_ vocabulary: EmbeddedVocabulary, path: String) throws {
        do {
            try self.init(file: vocabulary.file())
        } catch let error as TokenizerError {
            throw TokenizerError(path: path, reason: error.reason)
        }
    }

    init(file: TokenizerFile) throws {
        let normalize = try Normalizer(file.normalizer)
        self.normalize = normalize
        words = try PreTokenizer(file.pre_tokenizer)
        added = try AddedTokens(file.added_tokens ?? []) { normalize($0) }
        frame = try Self.frame(file.post_processor)
        let known = [file.model.pieces.count - 1, file.model.vocab.values.max() ?? -1, file.added_tokens?.map(\.id).max() ?? -1]
        count = (known.max() ?? -1) + 1
        switch file.model.type ?? "BPE" {
        case "BPE": model = try BytePairModel(file.model)
        case "Unigram": model = try UnigramModel(file.model)
        case let other: throw TokenizerError(path: "", reason: "has a model of type \(other), which is not supported")
        }
    }

    /// Token ids of `text`. Nothing is put before or after.
    public func encode(_ text: String) -> [Int] {
        var ids: [Int] = []
        for part in added.split(text, raw: true) {
            switch part {
            case .token(let id): ids.append(id)
            case .text(let text, let isFirst):
                for part in added.split(normalize(text), raw: false) {
                    switch part {
                    case .token(let id): ids.append(id)
                    case .text(let text, let begins):
                        for word in words.split(text, isFirst: isFirst && begins) { model.encode(word, into: &ids) }
                    }
                }
            }
        }
        return ids
    }

    /// Token ids of `text` between those that the file puts round a whole text, such as the end's. What is too long for
    /// `limit` ids in all is cut off behind.
    public func encode(_ text: String, limit: Int) -> [Int] {
        frame.before + encode(text).prefix(max(0, limit - frame.before.count - frame.after.count)) + frame.after
    }

    /// The id of an added token such as `<|im_end|>`.
    public func id(ofAdded token: String) -> Int? { added.ids[token] }

    private static func frame(_ part: TokenizerFile.PostProcessor?) throws -> (before: [Int], after: [Int]) {
        guard let part else { return ([], []) }
        switch part.type {
        case "ByteLevel": return ([], [])
        case "Sequence":
            return try (part.processors ?? []).reduce((before: [], after: [])) { frame, part in
                let outer = try Self.frame(part)
                return (outer.before + frame.before, frame.after + outer.after)
            }
        case "TemplateProcessing":
            let places = part.single ?? []
            let ids = try places.map { place -> [Int]? in
                guard let name = place.SpecialToken?.id else { return nil }
                guard let special = part.special_tokens?[name] else {
                    throw TokenizerError(path: "", reason: "puts \(name) round a text, which has no id")
                }
                return special.ids
            }
            guard let text = ids.firstIndex(where: { $0 == nil }) else {
                throw TokenizerError(path: "", reason: "has a template without a text")
            }
            return (ids[..<text].flatMap { $0 ?? [] }, ids[(text + 1)...].flatMap { $0 ?? [] })
        case let other: throw TokenizerError(path: "", reason: "has a post-processor of type \(other), which is not supported")
        }
    }
}

/// What turns a word, its bytes, into ids: byte pairs, or a unigram vocabulary.
protocol TokenModel: Sendable {
    func encode(_ word: [UInt8], into ids: inout [Int])
}

/// A tokenizer file that cannot be used.
public struct TokenizerError: Error, Sendable, CustomStringConvertible {
    public let path: String
    public let reason: String
    public var description: String { "\(path): \(reason)" }
}
