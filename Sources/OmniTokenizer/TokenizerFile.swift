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
        let behavior: String?
        let invert: Bool?
        let add_prefix_space: Bool?
        let use_regex: Bool?
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
        let vocab: [String: Int]
        let merges: [Merge]
        let ignore_merges: Bool?
    }

    /// A pair, written `"a b"` or `["a", "b"]`.
    struct Merge: Decodable {
        let left: String
        let right: String

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

    let added_tokens: [Added]?
    let normalizer: Part?
    let pre_tokenizer: Part?
    let model: Model
}
