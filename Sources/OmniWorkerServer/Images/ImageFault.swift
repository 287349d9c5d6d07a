import OmniAPI
import OmniEngine
import OmniHTTP

extension ImageModelError: WireError {
    package var apiError: APIError { APIError(self) }
}

extension APIError {
    /// What a failure of an image model is on the wire.
    init(_ error: ImageModelError) {
        switch error {
        case .invalid(let parameter, let reason):
            self.init(.badRequest, "\(parameter): \(reason).", param: "body.\(parameter)")
        case .memory(let needed, let lacking, let side):
            self.init(
                .insufficientStorage, "The request needs \(needed) bytes of memory, \(lacking) more than there are.",
                remedy: side.map { "A size of \($0)x\($0) would fit; so may fewer pictures, or a server with --quantization." }
                    ?? "Ask for fewer pictures, or start the server with --quantization.")
        case .notFinite:
            self.init(
                .internalError, "Image generation failed: \(error).",
                remedy: "The model's weights may be damaged; `omni doctor` tells more.")
        case .stopped: self.init(.unavailable, "The model is being shut down.", remedy: "Try again in a moment.", retryAfter: 1)
        }
    }
}
