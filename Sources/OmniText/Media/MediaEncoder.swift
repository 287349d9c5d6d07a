import CLlama
import OmniAPI

/// A model's eyes and ears: libmtmd over the projector that belongs to it.
final class MediaEncoder: Sendable {
    init(path: String, model: LlamaModel, threads: Int, brake: Brake) throws {
        throw APIError(.notImplemented, "Projectors are not supported yet.")
    }

    var inputParts: [String] { [] }
}

extension BatchLoop {
    /// Encodes one medium that a prompt has come to. False when none is due.
    func computeMedium() -> Bool { false }
}
