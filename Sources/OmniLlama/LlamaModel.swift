import CLlama
import Foundation
import OmniAPI
import OmniDevices

/// The weights of a GGUF, mapped into memory.
///
/// Unchecked: the handle is written once in `init`, and llama.cpp only reads a loaded model; it may be used from any thread.
package final class LlamaModel: @unchecked Sendable {
    package let handle: OpaquePointer
    package let path: String

    /// Loads `path`, telling how far it is from 0 to 1. Blocks; throws ``APIError`` naming the file.
    package init(path: String, placement: ModelPlacement = ModelPlacement(), progress: @escaping @Sendable (Double) -> Void) throws {
        LlamaLog.clearErrors()
        var parameters = llama_model_default_params()
        parameters.n_gpu_layers = Int32(placement.gpuLayers)
        parameters.use_extra_bufts = !PlainKernels.areAsked
        let report = ProgressReport(progress)
        parameters.progress_callback = { value, data in
            guard let data else { return true }
            Unmanaged<ProgressReport>.fromOpaque(data).takeUnretainedValue().report(Double(value))
            return true
        }
        parameters.progress_callback_user_data = Unmanaged.passUnretained(report).toOpaque()
        let handle = try withExtendedLifetime(report) {
            try placement.apply(to: &parameters) { llama_model_load_from_file(path, $0) }
        }
        guard let handle else {
            let reason = LlamaLog.firstError.map { " llama.cpp says: \($0)" } ?? ""
            throw APIError(
                .internalError, "The model file \(path) cannot be loaded.\(reason)",
                remedy: "Check the file with `omni doctor`, or fetch it again.")
        }
        self.handle = handle
        self.path = path
        MappedWeights.release(path)
    }

    deinit { llama_model_free(handle) }

    package var trainedContextLength: Int { Int(llama_model_n_ctx_train(handle)) }
    /// Heads of attention of a layer.
    package var headCount: Int { max(Int(llama_model_n_head(handle)), 1) }
    package var layers: Int { Int(llama_model_n_layer(handle)) }
    /// Width of an embedding that goes in, in floats.
    package var inputWidth: Int { Int(llama_model_n_embd_inp(handle)) }
    /// Width of an embedding that comes out, in floats.
    package var outputWidth: Int { Int(llama_model_n_embd_out(handle)) }
    /// A recurrent state cannot be cut back to an earlier position.
    package var hasRecurrentState: Bool { llama_model_is_recurrent(handle) || llama_model_is_hybrid(handle) }
    package var hasEncoder: Bool { llama_model_has_encoder(handle) }
    package var hasDecoder: Bool { llama_model_has_decoder(handle) }
    package var parameterCount: Int { Int(clamping: llama_model_n_params(handle)) }
    package var byteCount: Int { Int(clamping: llama_model_size(handle)) }

    /// Architecture, size and quantization in words, as llama.cpp puts it.
    package var summary: String { text { llama_model_desc(handle, $0, $1) } ?? "" }

    /// A metadata value as text; nil when the file has no such key.
    package func metadata(_ key: String) -> String? { text { llama_model_meta_val_str(handle, key, $0, $1) } }

    /// The names of a classifier's classes, `LABEL_0` and so on where the file gives none; one for a reranker.
    package var labels: [String] {
        (0..<llama_model_n_cls_out(handle)).map { index in
            llama_model_cls_label(handle, index).map { String(cString: $0) } ?? "LABEL_\(index)"
        }
    }

    /// A template that the file has under a name of its own.
    package func template(named name: String) -> String? { llama_model_chat_template(handle, name).map { String(cString: $0) } }

    private func text(_ fill: (UnsafeMutablePointer<CChar>?, Int) -> Int32) -> String? {
        let length = fill(nil, 0)
        guard length >= 0 else { return nil }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(length) + 1) { buffer in
            guard fill(buffer.baseAddress, buffer.count) >= 0 else { return nil }
            return String(decoding: buffer.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}

/// `OMNI_CPU=baseline` in the environment: nothing but what every supported CPU has. The gateway sets it for a worker in safe mode.
enum PlainKernels {
    static let areAsked = ProcessInfo.processInfo.environment["OMNI_CPU"] == "baseline"
}

/// Carries a Swift closure through a C callback.
private final class ProgressReport {
    let report: (Double) -> Void
    init(_ report: @escaping (Double) -> Void) { self.report = report }
}
