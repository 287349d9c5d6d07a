import Foundation
import OmniTestSupport
import Testing

@testable import OmniTensor

/// Text encoders as llama.cpp's converter writes them, with their tokenizer in the metadata.
extension SingleFileFolder {
    func writeLlama(_ name: String, _ tensors: StoredTensors, architecture: String, rules: String = "qwen2") throws {
        let config = try textConfig()
        func number(_ key: String) throws -> UInt32 { UInt32(try #require(config[key] as? Int)) }
        var metadata: [(String, GGUFBuilder.Value)] = [
            ("\(architecture).block_count", .uint32(try number("num_hidden_layers"))),
            ("\(architecture).attention.head_count", .uint32(try number("num_attention_heads"))),
            ("\(architecture).attention.head_count_kv", .uint32(try number("num_key_value_heads"))),
            ("\(architecture).rope.freq_base", .float32(Float(try #require(config["rope_theta"] as? Double)))),
            ("\(architecture).attention.layer_norm_rms_epsilon", .float32(1e-6)),
        ]
        if let head = config["head_dim"] as? Int { metadata.append(("\(architecture).attention.key_length", .uint32(UInt32(head)))) }
        let (tokenizer, model) = try tokenizerFile()
        let vocabulary = try #require(model["vocab"] as? [String: Int])
        let merges = try #require(model["merges"] as? [Any]).map { ($0 as? [String])?.joined(separator: " ") ?? ($0 as? String ?? "") }
        var tokens = Dictionary(uniqueKeysWithValues: vocabulary.map { ($0.value, ($0.key, Int32(1))) })
        for added in try #require(tokenizer["added_tokens"] as? [[String: Any]]) {
            let isSpecial = added["special"] as? Bool == true
            tokens[try #require(added["id"] as? Int)] = (try #require(added["content"] as? String), isSpecial ? 3 : 4)
        }
        let list = tokens.sorted { $0.key < $1.key }.map(\.value)
        metadata += [
            ("tokenizer.ggml.model", .string("gpt2")), ("tokenizer.ggml.pre", .string(rules)),
            ("tokenizer.ggml.tokens", .strings(list.map(\.0))),
            ("tokenizer.ggml.token_type", .int32s(list.map(\.1))), ("tokenizer.ggml.merges", .strings(merges)),
            ("tokenizer.chat_template", .string("<|im_start|>{{ messages }}<|im_end|>")),
        ]
        try writeGGUF(name, tensors, architecture: architecture, metadata)
    }

    func writeT5(_ name: String, _ tensors: StoredTensors, withTokenizer: Bool) throws {
        guard withTokenizer else { return try writeGGUF(name, tensors, architecture: "t5encoder") }
        let (tokenizer, model) = try tokenizerFile()
        let pieces = try #require(model["vocab"] as? [[Any]])
        let added = Set(try #require(tokenizer["added_tokens"] as? [[String: Any]]).compactMap { $0["id"] as? Int })
        let unknown = try #require(model["unk_id"] as? Int)
        let kinds = pieces.indices.map { place -> Int32 in
            let text = pieces[place][0] as? String ?? ""
            return place == unknown ? 2 : text.hasPrefix("<0x") ? 6 : added.contains(place) ? 3 : 1
        }
        let normalizers = (tokenizer["normalizer"] as? [String: Any])?["normalizers"] as? [[String: Any]]
        let table = normalizers?.compactMap { $0["precompiled_charsmap"] as? String }.first
        try writeGGUF(
            name, tensors, architecture: "t5encoder",
            [
                ("tokenizer.ggml.model", .string("t5")), ("tokenizer.ggml.pre", .string("default")),
                ("tokenizer.ggml.tokens", .strings(pieces.map { $0[0] as? String ?? "" })), ("tokenizer.ggml.token_type", .int32s(kinds)),
                ("tokenizer.ggml.scores", .float32s(pieces.map { Float($0[1] as? Double ?? 0) })),
                ("tokenizer.ggml.eos_token_id", .uint32(1)),
                ("tokenizer.ggml.precompiled_charsmap", .uint8s(table.flatMap { Data(base64Encoded: $0) }.map(Array.init) ?? [])),
            ])
    }

    private func tokenizerFile() throws -> (whole: [String: Any], model: [String: Any]) {
        let whole = try config("tokenizer/tokenizer.json")
        return (whole, try #require(whole["model"] as? [String: Any]))
    }

    /// Qwen2.5's heads are of a size that no shape tells: what is the checkpoint's own stands in `omni.json`.
    func addHeadSize() throws {
        let place = URL(fileURLWithPath: "\(path)/omni.json")
        var whole = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: place)) as? [String: Any])
        var said = try #require(whole["config"] as? [String: Any])
        var text = try #require(said["text_encoder"] as? [String: Any])
        let (hidden, heads) = (
            try #require(try textConfig()["hidden_size"] as? Int), try #require(try textConfig()["num_attention_heads"] as? Int)
        )
        text["head_dim"] = hidden / heads
        said["text_encoder"] = text
        whole["config"] = said
        try JSONSerialization.data(withJSONObject: whole).write(to: place)
    }
}
