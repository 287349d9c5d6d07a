import CLlama
import CLlamaChat
import OmniAPI
import OmniEngine
import OmniLlama

/// OpenAI's `system_fingerprint`: answers to one request with one seed may be compared where it is the same. It stands for what has a
/// say in the last bits of logits: llama.cpp's build, the CPU's instructions, where weights lie (each kind of memory has kernels of its
/// own), the model, the number of threads, how the cache is laid out, and whether next tokens are guessed.
enum SystemFingerprint {
    static func text(of context: LlamaContext, file size: Int, options: TextEngineOptions, speculates: Bool) -> String {
        let parts = [
            String(cString: ggml_version()), String(cString: ggml_commit()), String(cString: llama_print_system_info()),
            adoptText(omni_context_kinds(context.handle)), context.model.summary, "\(context.model.parameterCount) \(size)",
            "\(options.threadCount)", "\(context.isUnified) \(context.cells) \(context.cellsPerSequence)",
            "\(options.batchSize) \(options.maxSequences) \(speculates)",
        ]
        let digits = String(parts.joined(separator: "\n").utf8.fnv1a >> 16, radix: 16)
        return "fp_" + String(repeating: "0", count: 12 - digits.count) + digits
    }
}
