import Foundation
import OmniAPI
import OmniGGUF

/// A GGUF file that is there, is one, and is whole: known before anything is mapped into memory.
package struct ModelFile {
    package let header: GGUFHeader

    /// Throws ``APIError`` naming the file and its fault: not there, not a GGUF, cut short, damaged.
    package init(path: String) throws {
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw APIError(
                .notFound, "There is no model file at \(path), or it may not be read.", remedy: "Fetch it with `omni models pull`.")
        }
        do {
            header = try GGUFHeader(readingFrom: URL(filePath: path))
        } catch let fault as GGUFError {
            throw APIError(
                .internalError, "The model file \(path) cannot be used: \(fault.description).", remedy: "Fetch it again, or name a GGUF.")
        }
        guard !header.isCutShort else {
            throw APIError(
                .internalError,
                "The model file \(path) is cut short: it has \(header.fileSize) bytes and its tensors need \(header.expectedSize ?? 0).",
                remedy: "Fetch it again.")
        }
    }

    package var hasTokenizer: Bool { header.metadata.keys.contains { $0.hasPrefix("tokenizer.ggml.") } }
    /// Whether its token vectors become one vector for the whole text.
    package var hasPooling: Bool { (header.poolingType ?? 0) > 0 }
    /// Whether it tells classes of texts, or how well a pair fits.
    package var isClassifier: Bool { header.isClassifier }
    /// Whether a token sees only those before it, as in every model that writes.
    package var isCausal: Bool { header.metadata["\(header.architecture).attention.causal"] != .bool(false) }
}
