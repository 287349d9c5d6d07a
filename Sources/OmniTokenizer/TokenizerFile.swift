import Foundation

/// The parts of `tokenizer.json` that are used. Field names are the file's.
struct TokenizerFile: Decodable {
    /// A normalizer or pre-tokenizer; which fields it has depends on its type.
    struct Part: Decodable {
        struct Pattern: Decodable {
            let Regex: String?
            let String: String?
        }

        let type: String
        let normalizers: [Part]?
        let pretokenizers: [Part]?
        let pattern: Pattern?
        let content: String?
        let behavior: String?
        let invert: Bool?
        let add_prefix_space: Bool?
        let use_regex: Bool?
        let strip_left: Bool?
        let strip_right: Bool?
        let prepend: String?
        let precompiled_charsmap: String?
        let replacement: String?
        let prepend_scheme: String?
        let split: Bool?

        static func read(_ json: String) throws -> Part { try JSONDecoder().decode(Part.self, from: Data(json.utf8)) }
    }

    struct Added: Decodable {
        let id: Int
        let content: String
        let normalized: Bool
        let special: Bool
        let single_word: Bool?
        let lstrip: Bool?
        let rstrip: Bool?
    }

    struct Model: Decodable {
        let type: String?
        /// Ids of a byte pair model's tokens.
        let vocab: [String: Int]
        let merges: [Merge]
        let ignore_merges: Bool?
        /// A unigram model's tokens in the order of their ids.
        let pieces: [Piece]
        let unk_id: Int?
        let byte_fallback: Bool?

        private enum Key: String, CodingKey { case type, vocab, merges, ignore_merges, unk_id, byte_fallback }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            type = try values.decodeIfPresent(String.self, forKey: .type)
            ignore_merges = try values.decodeIfPresent(Bool.self, forKey: .ignore_merges)
            unk_id = try values.decodeIfPresent(Int.self, forKey: .unk_id)
            byte_fallback = try values.decodeIfPresent(Bool.self, forKey: .byte_fallback)
            let isUnigram = type == "Unigram"
            pieces = isUnigram ? try values.decode([Piece].self, forKey: .vocab) : []
            vocab = isUnigram ? [:] : try values.decode([String: Int].self, forKey: .vocab)
            merges = isUnigram ? [] : try values.decode([Merge].self, forKey: .merges)
        }

        /// A byte pair model.
        init(vocab: [String: Int], merges: [Merge]) {
            (type, ignore_merges, unk_id, byte_fallback, pieces) = ("BPE", nil, nil, nil, [])
            (self.vocab, self.merges) = (vocab, merges)
        }

        /// A unigram model with pieces for single bytes.
        init(pieces: [Piece], unknown: Int) {
            (type, ignore_merges, unk_id, byte_fallback, vocab, merges) = ("Unigram", nil, unknown, true, [:], [])
            self.pieces = pieces
        }
    }

    /// `["text", score]`: the logarithm of its probability.
    struct Piece: Decodable {
        let text: String
        let score: Double

        init(_ text: String, _ score: Double) { (self.text, self.score) = (text, score) }

        init(from decoder: any Decoder) throws {
            var values = try decoder.unkeyedContainer()
            text = try values.decode(String.self)
            score = try values.decode(Double.self)
        }
    }

    /// A pair, written `"a b"` or `["a", "b"]`.
    struct Merge: Decodable {
        let left: String
        let right: String

        /// - Parameter path: of the file that the line stands in.
        init(line: String, of path: String) throws {
            let pair = line.split(separator: " ", omittingEmptySubsequences: false).map { String($0) }
            guard pair.count == 2 else {
                throw TokenizerError(path: path, reason: "has the line \(line.debugDescription), which is no pair")
            }
            (left, right) = (pair[0], pair[1])
        }

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            let parts: [String]
            if let text = try? value.decode(String.self) {
                parts = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
            } else {
                parts = try value.decode([String].self)
            }
            guard parts.count == 2 else { throw DecodingError.dataCorruptedError(in: value, debugDescription: "a merge is no pair") }
            (left, right) = (parts[0], parts[1])
        }
    }

    /// What is put round a text once it is ids.
    struct PostProcessor: Decodable {
        struct Place: Decodable {
            struct Name: Decodable { let id: String }
            let SpecialToken: Name?
            let Sequence: Name?
        }

        struct Special: Decodable { let ids: [Int] }

        let type: String
        let processors: [PostProcessor]?
        let single: [Place]?
        let special_tokens: [String: Special]?

        /// One token behind every text.
        init(ending id: Int, _ token: String) {
            (type, processors) = ("TemplateProcessing", nil)
            single = [Place(SpecialToken: nil, Sequence: .init(id: "A")), Place(SpecialToken: .init(id: token), Sequence: nil)]
            special_tokens = [token: Special(ids: [id])]
        }
    }

    let added_tokens: [Added]?
    let normalizer: Part?
    let pre_tokenizer: Part?
    let post_processor: PostProcessor?
    let model: Model
}
