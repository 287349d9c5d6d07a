import Foundation

/// Text to token ids, as the `tokenizer.json` of Hugging Face's tokenizers says: added tokens are cut out first, the rest
/// is normalized, cut into words, and each word goes to the model.
public struct Tokenizer: Sendable {
    private let added: AddedTokens
    private let normalize: @Sendable (String) -> String
    private let words: PreTokenizer
    private let model: any TokenModel

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

    init(file: TokenizerFile) throws {
        normalize = try Self.normalizer(file.normalizer)
        words = try PreTokenizer(file.pre_tokenizer)
        added = try AddedTokens(file.added_tokens ?? [], normalize: normalize)
        switch file.model.type ?? "BPE" {
        case "BPE": model = try BytePairModel(file.model)
        case let other: throw TokenizerError(path: "", reason: "has a model of type \(other), which is not supported")
        }
    }

    /// Token ids of `text`. Nothing is put before or after.
    public func encode(_ text: String) -> [Int] {
        var ids: [Int] = []
        for part in added.split(text, raw: true) {
            switch part {
            case .token(let id): ids.append(id)
            case .text(let text):
                for part in added.split(normalize(text), raw: false) {
                    switch part {
                    case .token(let id): ids.append(id)
                    case .text(let text): for word in words.split(text) { model.encode(word, into: &ids) }
                    }
                }
            }
        }
        return ids
    }

    /// The id of an added token such as `<|im_end|>`.
    public func id(ofAdded token: String) -> Int? { added.ids[token] }

    private static func normalizer(_ part: TokenizerFile.Part?) throws -> @Sendable (String) -> String {
        switch part?.type {
        case nil: return { $0 }
        case "NFC": return { $0.precomposedStringWithCanonicalMapping }
        case "NFKC": return { $0.precomposedStringWithCompatibilityMapping }
        case "Sequence":
            let parts = try (part?.normalizers ?? []).map { try normalizer($0) }
            return { text in parts.reduce(text) { $1($0) } }
        case let other?: throw TokenizerError(path: "", reason: "has a normalizer of type \(other), which is not supported")
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
