import CLlama
import OmniAPI
import OmniLlama

/// Chooses the codes of one unit, as Qwen3-TTS's makers do: the fifty likeliest at temperature 0.9, repetitions a little less
/// likely, and none of the tokens that the file forbids. Used by one thread.
final class CodeSampler {
    private let chain: UnsafeMutablePointer<llama_sampler>

    init(_ vocabulary: Vocabulary, seed: UInt32) throws {
        guard let chain = llama_sampler_chain_init(llama_sampler_chain_default_params()) else {
            throw APIError(.internalError, "There is no memory for choosing codes.")
        }
        self.chain = chain
        let forbidden = vocabulary.suppressedTokens().map { llama_logit_bias(token: $0, bias: -.infinity) }
        let count = Int32(clamping: vocabulary.count)
        llama_sampler_chain_add(chain, llama_sampler_init_logit_bias(count, Int32(clamping: forbidden.count), forbidden))
        llama_sampler_chain_add(chain, llama_sampler_init_penalties(count, 512, 1.05, 0, 0))
        llama_sampler_chain_add(chain, llama_sampler_init_top_k(50))
        llama_sampler_chain_add(chain, llama_sampler_init_temp(0.9))
        llama_sampler_chain_add(chain, llama_sampler_init_dist(seed))
    }

    deinit { llama_sampler_free(chain) }

    /// The code that follows what `context` has computed last.
    func sample(_ context: LlamaContext) -> Token { llama_sampler_sample(chain, context.handle, -1) }
}
