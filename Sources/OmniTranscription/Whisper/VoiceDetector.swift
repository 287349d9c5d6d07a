import CWhisper
import OmniAPI
import OmniDevices

/// Tells for each frame of sound how likely somebody speaks in it: the Silero VAD, as whisper.cpp computes it. It remembers what it has
/// heard, so each recording has its own. One thread uses it.
final class VoiceDetector {
    /// Samples of a frame.
    static let frame = 512
    private let handle: OpaquePointer

    init(path: String) throws {
        var parameters = whisper_vad_default_context_params()
        // Its products are too small to be shared out.
        parameters.n_threads = 1
        parameters.use_gpu = false
        ComputeDevice.loadBackends()
        WhisperLog.clearError()
        guard let handle = whisper_vad_init_from_file_with_params(path, parameters) else {
            throw APIError.unusableRecognizer(path, WhisperLog.firstError)
        }
        self.handle = handle
        whisper_vad_reset_state(handle)
    }

    deinit { whisper_vad_free(handle) }

    /// A probability for each frame; the last one may be short.
    func probabilities(of samples: [Float]) throws -> [Float] {
        guard !samples.isEmpty else { return [] }
        guard whisper_vad_detect_speech_no_reset(handle, samples, Int32(samples.count)), let found = whisper_vad_probs(handle) else {
            throw APIError(.internalError, "The voice activity detector failed.")
        }
        return Array(UnsafeBufferPointer(start: found, count: Int(whisper_vad_n_probs(handle))))
    }
}
