import CLlama
import OmniAPI
import OmniLlama

/// Owner of the half of a speech model that libmtmd computes: what hears a sample, and what makes sound of hidden states. Used
/// by one thread.
final class SpeechProjector {
    let handle: OpaquePointer
    /// Hz
    let sampleRate: Int
    /// Samples that it can imitate, Hz; nil when it hears none.
    let sampleRateHeard: Int?
    /// Kept alive: libmtmd refers to both.
    private let model: LlamaModel
    private let abortHandle: AbortHandle

    /// Throws ``APIError`` when the file is damaged or belongs to another model.
    init(path: String, model: LlamaModel, threads: Int, gpu: Bool, abortHandle: AbortHandle) throws {
        LlamaLog.clearErrors()
        var parameters = mtmd_context_params_default()
        parameters.use_gpu = gpu
        parameters.n_threads = Int32(clamping: threads)
        parameters.print_timings = false
        parameters.warmup = false
        parameters.cb_eval = AbortHandle.watch
        parameters.cb_eval_user_data = abortHandle.pointer
        guard let handle = mtmd_init_from_file(path, model.handle, parameters) else {
            throw APIError.unusableVoice(path, LlamaLog.firstError ?? "libmtmd refuses it")
        }
        let heard = mtmd_get_audio_sample_rate(handle)
        self.handle = handle
        self.model = model
        self.abortHandle = abortHandle
        sampleRate = Int(mtmd_gen_audio_get_info(handle).sample_rate)
        sampleRateHeard = mtmd_support_audio(handle) && heard > 0 ? Int(heard) : nil
    }

    deinit { mtmd_free(handle) }
}
