import CLlama
import Foundation
import OmniAPI
import OmniLlama

extension TextEngine {
    public var tokenizerInfo: TokenizerInfo {
        func name(_ token: Token) -> String? { token >= 0 ? vocabulary.name(of: token) : nil }
        var info = TokenizerInfo()
        info.tokenizerClass = model.metadata("tokenizer.ggml.model").flatMap { Self.tokenizerClasses[$0] }
        info.beginning = name(llama_vocab_bos(vocabulary.pointer))
        info.end = name(llama_vocab_eos(vocabulary.pointer))
        info.padding = name(llama_vocab_pad(vocabulary.pointer))
        info.unknown = model.metadata("tokenizer.ggml.unknown_token_id").flatMap { Token($0) }.flatMap(name)
        info.addsBeginning = llama_vocab_get_add_bos(vocabulary.pointer)
        info.addsEnd = llama_vocab_get_add_eos(vocabulary.pointer)
        info.maxLength = model.trainedContextLength > 0 ? Int(model.trainedContextLength) : nil
        info.vocabularySize = vocabulary.count
        info.chatTemplate =
            options.chatTemplate.map { (try? String(contentsOfFile: $0, encoding: .utf8)) ?? $0 }
            ?? model.metadata("tokenizer.chat_template")
        return info
    }

    /// transformers' classes of the tokenizers that a GGUF names.
    private static let tokenizerClasses = [
        "gpt2": "GPT2TokenizerFast", "llama": "LlamaTokenizerFast", "bert": "BertTokenizerFast", "t5": "T5TokenizerFast",
        "gemma4": "GemmaTokenizerFast",
    ]
}
