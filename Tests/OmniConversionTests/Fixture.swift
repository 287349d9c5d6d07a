import Foundation
import Logging
import OmniAPI
import OmniTestSupport
import Testing

@testable import OmniConversion

/// The checkpoints and tokenizers that Tools/conversion/goldens.py made, with what Python makes of them.
enum Fixture {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
    static let checkpoints = [
        "llama3", "llama2", "smollm2", "mistral", "qwen2", "qwen3", "gemma3", "phi3", "phi4-mini", "smollm3", "granite", "qwen3-moe",
        "bert", "bert-reranker", "bert-classifier", "xlmr-reranker", "qwen3-embedding", "qwen3-reranker", "qwen3-reranker-untied",
    ]

    static func json(_ path: String) throws -> JSONValue { try JSONValue.parse(Data(contentsOf: folder.appending(path: path))) }

    /// A checkpoint and its tokenizer as one folder, as they are published.
    static func checkpoint(_ name: String, tokenizer: String? = nil) throws -> (folder: TemporaryFolder, golden: JSONValue) {
        let golden = try json("checkpoints/\(name)/golden.json")
        let tokenizer = try tokenizer ?? #require(golden["tokenizer"]?.stringValue)
        let whole = try TemporaryFolder()
        for source in ["checkpoints/\(name)", "tokenizers/\(tokenizer)"] {
            let place = folder.appending(path: source)
            for file in try FileManager.default.contentsOfDirectory(atPath: place.path)
            where !["golden.json", "ids.json", "tokenizer.model"].contains(file) {
                try FileManager.default.copyItem(at: place.appending(path: file), to: whole.url.appending(path: file))
            }
        }
        return (whole, golden)
    }

    /// The GGUF of a checkpoint, in a folder that lives as long as the first result.
    static func converted(_ name: String, type: String? = nil, tokenizer: String? = nil) throws -> (
        keeper: TemporaryFolder, path: String, golden: JSONValue
    ) {
        let (folder, golden) = try checkpoint(name, tokenizer: tokenizer)
        let path = folder.url.appending(path: "out.gguf").path
        try conversion(folder.url.path, type).run(to: path)
        return (folder, path, golden)
    }

    static func conversion(_ folder: String, _ type: String? = nil) throws -> Conversion {
        try Conversion(
            folder: folder, quantization: type.map { try Quantization(named: $0) } ?? .source, threads: 2, logger: .init(label: "test"))
    }
}
