import Foundation
import OmniAPI

/// `tokenizer.json` and `tokenizer_config.json` of a checkpoint.
struct TokenizerSource: Sendable {
    struct Added: Sendable {
        let id: Int
        let text: String
        let isSpecial: Bool
        /// White space beside it belongs to it.
        let takesLeft, takesRight: Bool
        let wantsWholeWord: Bool
    }

    let path: String
    let json: JSONValue
    /// `tokenizer_config.json`; nil where there is none.
    let config: JSONObject?
    private(set) var added: [Added]
    /// `BPE`, `WordPiece` or `Unigram`.
    let type: String
    var model: JSONValue { json["model"] ?? .null }

    /// Throws ``ConversionError`` for files that are not there or not what they should be.
    init(folder: String) throws(ConversionError) {
        path = "\(folder)/tokenizer.json"
        guard let json = try Checkpoint.json(path) else {
            let other = ["tokenizer.model", "vocab.json", "vocab.txt", "tekken.json"].first {
                FileManager.default.fileExists(atPath: "\(folder)/\($0)")
            }
            throw ConversionError(
                .missing, path, "It is not there." + (other.map { " \($0) is there, which is not read." } ?? ""),
                remedy: "transformers' AutoTokenizer writes it: AutoTokenizer.from_pretrained(…).save_pretrained(…).")
        }
        self.json = json
        config = try Checkpoint.json("\(folder)/tokenizer_config.json")?.objectValue
        type = json["model"]?["type"]?.stringValue ?? "BPE"
        var added: [Added] = []
        for token in json["added_tokens"]?.arrayValue ?? [] {
            guard let id = token["id"]?.intValue, id >= 0, let text = token["content"]?.stringValue else {
                throw ConversionError(.damaged, path, "An added token has no id or no content.")
            }
            func flag(_ key: String) -> Bool { token[key]?.boolValue ?? false }
            added.append(
                Added(
                    id: id, text: text, isSpecial: flag("special"), takesLeft: flag("lstrip"), takesRight: flag("rstrip"),
                    wantsWholeWord: flag("single_word")))
        }
        self.added = added
    }

    /// Forgets added tokens that have no row in the embedding: the text models of Gemma 3 carry one that stands for pictures.
    mutating func dropAdded(from count: Int) { added.removeAll { $0.id >= count } }

    func damaged(_ problem: String) -> ConversionError { ConversionError(.damaged, path, problem) }
    func unsupported(_ problem: String) -> ConversionError { ConversionError(.unsupported, path, problem) }

    /// The texts of all ids from 0 on, nil where there is none. Throws for ids that are given twice or reach beyond `count`.
    func tokens(count: Int) throws(ConversionError) -> [String?] {
        var tokens = [String?](repeating: nil, count: count)
        func set(_ id: Int, _ text: String) throws(ConversionError) {
            guard tokens.indices.contains(id) else {
                throw damaged("\(text) has the id \(id), and config.json says that there are \(count) tokens.")
            }
            if let other = tokens[id], ExactText(other) != ExactText(text) {
                throw damaged("\(other) and \(text) have the same id, \(id).")
            }
            tokens[id] = text
        }
        if type == "Unigram" {
            for (id, piece) in (model["vocab"]?.arrayValue ?? []).enumerated() { try set(id, piece[0]?.stringValue ?? "") }
        } else {
            guard let vocabulary = model["vocab"]?.objectValue, !vocabulary.isEmpty else { throw damaged("It has no vocabulary.") }
            for (text, id) in vocabulary.members {
                guard let id = id.intValue else { throw damaged("\(text) has no id.") }
                try set(id, text)
            }
        }
        for token in added { try set(token.id, token.text) }
        return tokens
    }

    /// Pairs in the order of their rank. Throws where there is none.
    func merges() throws(ConversionError) -> [(left: String, right: String)] {
        guard let list = model["merges"]?.arrayValue, !list.isEmpty else {
            throw damaged("It has no merges, without which every text falls apart into bytes.")
        }
        var merges: [(left: String, right: String)] = []
        merges.reserveCapacity(list.count)
        for merge in list {
            let parts =
                merge.arrayValue?.compactMap(\.stringValue) ?? merge.stringValue?.split(separator: " ", omittingEmptySubsequences: false)
                .map { String($0) } ?? []
            guard parts.count == 2 else { throw damaged("The merge \(merge.jsonText) is no pair.") }
            merges.append((parts[0], parts[1]))
        }
        return merges
    }
}

/// What a token is for, in the numbers of a GGUF.
enum TokenType: Int32, Sendable {
    case normal = 1, unknown, control, userDefined, unused, byte

    /// Whether a token that is not said to be special is one all the same, by its looks.
    static func looksSpecial(_ text: String) -> Bool {
        ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(text) || (text.hasPrefix("<|") && text.hasSuffix("|>"))
            || (text.hasPrefix("<｜") && text.hasSuffix("｜>"))
            || (text.hasPrefix("<unused") && text.hasSuffix(">"))
    }
}

extension TokenizerSource.Added {
    var type: TokenType { isSpecial || TokenType.looksSpecial(text) ? .control : .userDefined }
    /// As libllama looks for it in a text: with spaces where the file has their mark.
    var stored: String { type == .control ? text : text.replacingScalar("\u{2581}", with: " ") }
}

extension String {
    /// By scalars: Swift's own takes an accent for a part of what stands before it.
    func replacingScalar(_ old: Unicode.Scalar, with new: Unicode.Scalar) -> String {
        guard unicodeScalars.contains(old) else { return self }
        var result = UnicodeScalarView()
        for scalar in unicodeScalars { result.append(scalar == old ? new : scalar) }
        return String(result)
    }
}
