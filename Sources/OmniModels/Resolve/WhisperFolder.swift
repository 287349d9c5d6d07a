import Foundation
import OmniEngine
import OmniGGUF

/// The Whispers in a folder: `ggml-*.bin` files of whisper.cpp's, told by their first bytes, with the Silero VAD that stands beside them.
struct WhisperFolder {
    let folder: URL
    /// Names of the files, with what they say of themselves.
    private let files: [(name: String, file: WhisperFile)]

    init(_ folder: URL) {
        self.folder = folder
        files = OmniModels.names(in: folder).filter { $0.hasSuffix(".bin") }.compactMap { name in
            Self.header(folder.appending(path: name)).map { (name, $0) }
        }
    }

    var isEmpty: Bool { files.isEmpty }

    /// The name of a file that is a Whisper; nil for any other.
    static func whisper(_ file: URL) -> String? { header(file).map { _ in file.lastPathComponent } }

    private static func header(_ file: URL) -> WhisperFile? { (try? WhisperFile(url: file)) ?? nil }

    /// The one that `variant` names; without a variant, the only one there is.
    func choose(_ variant: String?, for reference: String) throws(ModelError) -> String {
        let fitting = files.map(\.name).filter { name in
            guard let variant = variant?.lowercased() else { return true }
            return name.lowercased() == variant || name.dropLast(4).lowercased().hasSuffix(variant)
        }
        if fitting.count == 1 { return fitting[0] }
        let there = files.map(\.name).joined(separator: ", ")
        guard !fitting.isEmpty else {
            throw ModelError(
                .missing, model: reference, "There is no \(variant ?? "") among its Whispers: \(there).", remedy: "Name one of these.")
        }
        throw ModelError(
            .ambiguous, model: reference, "It holds several Whispers: \(there).",
            remedy: "Name one, as in \(ModelReference(reference).base):\(fitting[0]), or give the path of a file.")
    }

    func resolve(_ name: String, as found: ResolvedModel) throws(ModelError) -> ResolvedModel {
        let url = folder.appending(path: name)
        do {
            try WhisperFile.check(url)
        } catch {
            throw ModelError(.damaged, model: found.reference, "\(url.path) is damaged: \(error)", remedy: Remedy.fetch(found))
        }
        var model = found
        model.kind = .transcription
        model.path = url
        model.architecture = "whisper-" + (files.first { $0.name == name }?.file.size ?? "")
        model.size = fileSize(url) ?? 0
        return model
    }
}
